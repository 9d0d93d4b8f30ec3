"""Shared by all tests: pytest's own test kit and ours."""

pytest_plugins = ["pytester", "pytest_cells.testing"]
