"""The lines of docs/limits.md as cases with exact truth: `python -m benchmarks.acceptance`."""
