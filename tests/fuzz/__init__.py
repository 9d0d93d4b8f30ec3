"""Differential fuzzing: what an incremental run tells must be what a run of everything tells."""
