"""What Viseron imports as `viseron.components.aipg.object_detector`: our tracks as its detections."""

from aipg_plugin.hosts.viseron.client.object_detector import setup

__all__ = ["setup"]
