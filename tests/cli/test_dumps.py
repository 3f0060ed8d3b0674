"""A crash leaves no picture on the disk."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from aipg_plugin.cli.main import main
most = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
main(["settings"])
print("limit", resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_no_core_file_is_written_of_frames_still_clear() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "limit 0"
