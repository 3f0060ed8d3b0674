"""Renders fisheye scenes with people and exact truth; see `python -m rendering --help`."""
