"""motion, Debian's NVR: it records the guarded stream by stream copy, configured as docs/hosts.md says."""

from __future__ import annotations

from pathlib import Path

import pytest

from aipg_plugin.cli.main import main
from tests import needs
from tests.hosts.guarding import Interrupted, assert_recorded_masked
from tests.servers import Process, free_port


def test_its_recordings_are_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The scene is cut to another every few seconds, and the camera goes away and comes back within two."""
    motion = needs.need("motion")
    with Interrupted(tmp_path) as camera:
        assert main(["nvr", "motion", str(camera.guard.config)]) == 0
        config = tmp_path / "motion.conf"
        config.write_text(f"{capsys.readouterr().out}\ndaemon off\ntarget_dir {tmp_path}/movies\nemulate_motion on\n"
                          "movie_output on\nmovie_passthrough on\nmovie_max_time 2\npicture_output off\n"
                          f"webcontrol_port {free_port()}\nstream_port 0\n")
        with Process([motion, "-n", "-c", str(config)]) as client:
            assert_recorded_masked(camera, client, lambda: (tmp_path / "movies").glob("*.mp4"))
        assert main(["nvr", "motion", str(camera.guard.config), "--verify", str(config)]) == 0
