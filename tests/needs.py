"""What a test needs beside Python: skipped with the reason where it is missing, failed in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
CHECKOUT = Path(__file__).resolve().parent.parent


def missing(what: str) -> None:
    """Skip the running test because of `what`; in CI fail it, for there everything is installed."""
    if IN_CI:
        pytest.fail(f"{what} (must be there in CI)", pytrace=False)
    pytest.skip(what)


def need(tool: str) -> str:
    """Path of a program such as `ffmpeg` or `mosquitto`."""
    found = shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        missing(f"needs the program {tool}")
    return str(found)


def need_module(name: str) -> None:
    """A Python module in this interpreter."""
    if importlib.util.find_spec(name) is None:
        missing(f"needs the Python module {name}")


def need_gst_rtsp() -> str:
    """Path of the system's Python, which has Debian's GStreamer RTSP server."""
    python = "/usr/bin/python3"
    if not _has_gst_rtsp(python):
        missing("needs gir1.2-gst-rtsp-server-1.0 and python3-gi")
    return python


@cache
def _has_gst_rtsp(python: str) -> bool:
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return subprocess.run([python, "-c", code], capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


def need_shared(path: str) -> Path:
    """A file or folder of the evaluation data, which is never part of the project: skipped without it, in CI too."""
    found = Path(os.environ.get("AIPG_SHARED", CHECKOUT.parent / "shared")) / path
    if not found.exists():
        pytest.skip(f"needs {path} of the evaluation data (AIPG_SHARED)")
    return found
