"""What a user interface may know of the running app: read, change, watch, try. Nothing here returns a clear pixel."""

from aipg_plugin.facade.facade import Facade

__all__ = ["Facade"]
