"""Training of the shipped nets: data, rendering, training, export; nothing here ships or runs in the guard."""

import aipg_plugin  # noqa: F401  before anything imports ONNX Runtime: it turns its telemetry off
