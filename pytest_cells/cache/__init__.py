"""Keys, traces and the store they are kept in."""
