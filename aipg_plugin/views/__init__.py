"""Views that are rendered here: one projection's picture from another's."""

from aipg_plugin.views.dewarp import Dewarper

__all__ = ["Dewarper"]
