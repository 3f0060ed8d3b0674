"""AI Privacy Guard: hides people in fisheye video before anything else sees the pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aipg_plugin.version import __version__

if TYPE_CHECKING:
    from aipg_plugin.plugin import GuardPlugin

__all__ = ["__version__", "create_plugin"]


def create_plugin(host: Any, settings: Any = None) -> GuardPlugin:
    """Entry point for hosts: see `plugin.create_plugin`. Imported on call, so that importing the package is cheap."""
    from aipg_plugin.plugin import create_plugin as create

    return create(host, settings)
