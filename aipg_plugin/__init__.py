"""AI Privacy Guard: hides people in fisheye video before anything else sees the pixels."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aipg_plugin.version import __version__

if TYPE_CHECKING:
    from aipg_plugin.plugin import GuardPlugin

__all__ = ["__version__", "create_plugin"]


def _no_telemetry() -> None:
    """Keep ONNX Runtime from reporting to its maker: it reads this variable once, when it is first imported.

    Every entry point imports this package first. A host that has imported ONNX Runtime before us must set it itself:
    what can be asked of it then is to send no more.
    """
    if os.environ.get(_TELEMETRY_OFF) != "1" and "onnxruntime" in sys.modules:
        with suppress(Exception):
            sys.modules["onnxruntime"].disable_telemetry_events()
        logging.getLogger(__name__).warning(
            "ONNX Runtime was imported before AI Privacy Guard and may send telemetry: start the host with %s=1",
            _TELEMETRY_OFF)
    os.environ[_TELEMETRY_OFF] = "1"


_TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
_no_telemetry()


def create_plugin(host: Any, settings: Any = None) -> GuardPlugin:
    """Entry point for hosts: see `plugin.create_plugin`. Imported on call, so that importing the package is cheap."""
    from aipg_plugin.plugin import create_plugin as create

    return create(host, settings)
