"""A crash leaves no picture on the disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="Windows has no such limit")
PROGRAM = """
import os, resource, sys
from aipg_plugin.cli.main import main
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
main(["settings"])
print("limit", resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True)
if "crash" in sys.argv:
    os.abort()
"""


def test_no_core_is_asked_for_of_frames_still_clear() -> None:
    """On Linux the limit is one byte: where it is 0, cores are still piped to a crash reporter."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    least = 1 if sys.platform == "linux" and resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 else 0
    assert done.stdout.splitlines()[-1] == f"limit {least}"


def test_a_crash_writes_no_file(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "crash"], capture_output=True, text=True, timeout=120,
                          check=False, cwd=tmp_path)
    assert done.stdout.splitlines()[-1].startswith("limit")
    assert done.returncode < 0
    assert not list(tmp_path.iterdir())
