"""Measure pytest-cells beside its peers, as ratios taken in one run: `python -m benchmarks`."""
