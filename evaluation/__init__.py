"""How well a detector does: metrics, systems, masks and overlays, shared by `benchmarks` and `training`."""
