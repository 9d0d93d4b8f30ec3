"""Jupyter kernels: which one, one of them, all of them, and what they say."""
