"""The guard: nothing clear gets past it."""
