"""The traces rung: what each cell read and wrote, and how state is brought back from that."""
