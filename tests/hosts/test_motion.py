"""motion, Debian's NVR: it records the guarded stream by stream copy, configured as docs/hosts.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from aipg_plugin.cli.main import main
from tests import needs
from tests.hosts.guarding import MASKED, Guard, Interrupted, assert_recorded_masked, filled_px
from tests.hosts.walk import clear_share, frames_of, write_walk
from tests.servers import Process, free_port, wait_for


def test_its_recordings_are_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The scene is cut to another every few seconds, and the camera goes away and comes back within two."""
    motion = needs.need("motion")
    with Interrupted(tmp_path) as camera:
        assert main(["nvr", "motion", str(camera.guard.config)]) == 0
        config = tmp_path / "motion.conf"
        config.write_text(capsys.readouterr().out + _recording(tmp_path / "movies"))
        with Process([motion, "-n", "-c", str(config)]) as client:
            assert_recorded_masked(camera, client, lambda: (tmp_path / "movies").glob("*.mp4"))
        assert main(["nvr", "motion", str(camera.guard.config), "--verify", str(config)]) == 0


def test_it_reads_what_has_no_rtsp_and_cameras_do_not_overwrite_each_other(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed for two streams, of which one is served over HTTP alone, in the files that it names."""
    motion, movies = needs.need("motion"), tmp_path / "movies"
    with Guard(tmp_path, {"url": str(write_walk(tmp_path / "walk.mp4")), "loop": True},
               outputs=["http", "rtsp_serve"]) as guard:
        served = guard.document["cameras"]["lobby"]["streams"]
        served["2"] = {**served["1"], "outputs": ["http"]}
        printed = tmp_path / "printed.yaml"
        printed.write_text(yaml.safe_dump(guard.document))
        assert main(["nvr", "motion", str(printed)]) == 0
        _, *files = re.split(r"^# --- (?=camera\d)", capsys.readouterr().out, flags=re.MULTILINE)
        assert len(files) == 2
        for number, text in enumerate(files, 1):  # the guard serves one stream: the second file reads it over HTTP
            name, _, rest = text.partition("\n")
            assert name == f"camera{number}.conf"
            (tmp_path / name).write_text(rest.replace("/lobby/2.", "/lobby/1."))
        (tmp_path / "motion.conf").write_text(
            _recording(movies) + "".join(f"camera {tmp_path}/camera{number}.conf\n" for number in (1, 2)))
        with Process([motion, "-n", "-c", str(tmp_path / "motion.conf")]) as client:
            for camera in ("lobby_1", "lobby_2"):
                wait_for(lambda camera=camera: len(list(movies.glob(f"{camera}-*.mp4"))) > 2 or not client.running, 90,
                         f"movies of {camera}: {client.output()}")
        for camera in ("lobby_1", "lobby_2"):
            frames = [bgr for path in movies.glob(f"{camera}-*.mp4") for bgr in frames_of(path)]
            assert max(map(clear_share, frames)) < MASKED
            assert max(map(filled_px, frames)) > 1000


def _recording(movies: Path) -> str:
    """Settings with which motion records all the time, as they came."""
    return (f"\ndaemon off\ntarget_dir {movies}\nemulate_motion on\nmovie_output on\nmovie_passthrough on\n"
            f"movie_max_time 2\npicture_output off\nwebcontrol_port {free_port()}\nstream_port 0\n")
