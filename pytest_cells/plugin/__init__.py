"""The pytest side: the only rooms that know pytest."""
