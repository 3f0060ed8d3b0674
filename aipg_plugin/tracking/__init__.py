"""Who is where, between and after the moments a detector looked."""

from aipg_plugin.tracking.track import Track
from aipg_plugin.tracking.tracker import Tracker

__all__ = ["Track", "Tracker"]
