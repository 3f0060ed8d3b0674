"""A snippet written into an NVR's own YAML file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from aipg_plugin.cli.main import main
from aipg_plugin.errors import HostError
from aipg_plugin.hosts.nvr_apply import difference, merged
from aipg_plugin.hosts.nvr_sources import parsed

OURS = """
cameras:
  lobby: {streams: {"1": {source: "rtsp://192.0.2.10/stream1", outputs: [rtsp_serve]}}}
  hall: {streams: {"1": {source: "rtsp://192.0.2.11/stream1", outputs: [http]}}}
"""
FRIGATE = """# our house
mqtt:
  host: 192.168.1.2   # the broker
  password: "{FRIGATE_MQTT}"

cameras:
  garden:  # not guarded
    ffmpeg: {inputs: [{path: "rtsp://192.0.2.50/1", roles: [detect]}]}
  lobby:
    # where people come in
    ffmpeg:
      hwaccel_args: preset-vaapi
      inputs:
        - path: rtsp://192.0.2.10/stream1
          roles:
            - record
    detect:
      enabled: false   # on purpose
    objects:
      track: [person]
"""


@pytest.fixture
def ours(tmp_path: Path) -> str:
    file = tmp_path / "guard.yaml"
    file.write_text(OURS)
    return str(file)


def applied(ours: str, nvr: str, text: str, *more: str) -> tuple[int, str, list[Path]]:
    """Exit code, the file after it, and copies made."""
    theirs = Path(ours).with_name(f"{nvr}.yml")
    copies = set(theirs.parent.glob(f"{nvr}.yml.*"))
    theirs.write_bytes(text.encode())
    theirs.chmod(0o640)
    code = main(["nvr", nvr, ours, "--host", "192.168.1.7", "--apply", str(theirs), *more])
    assert theirs.stat().st_mode & 0o777 == 0o640
    made = sorted(set(theirs.parent.glob(f"{nvr}.yml.*")) - copies)
    assert all(copy.read_bytes() == text.encode() and copy.stat().st_mode & 0o777 == 0o640 for copy in made)
    return code, theirs.read_bytes().decode(), made


def test_frigates_file_keeps_all_that_is_not_ours(ours: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, after, copies = applied(ours, "frigate", FRIGATE)
    assert len(copies) == 1
    assert code == 7, "the garden is no guarded stream, and that is told"
    told = capsys.readouterr()
    assert "-        - path: rtsp://192.0.2.10/stream1\n" in told.out
    assert "+        - path: rtsp://192.168.1.7:8554/lobby/1\n" in told.out
    assert "cameras.garden" in told.err
    cameras = yaml.safe_load(after)["cameras"]
    assert list(cameras) == ["garden", "lobby", "hall"]
    assert [each["path"] for each in cameras["lobby"]["ffmpeg"]["inputs"]] == ["rtsp://192.168.1.7:8554/lobby/1"]
    assert cameras["lobby"]["ffmpeg"]["hwaccel_args"] == "preset-vaapi"
    assert cameras["lobby"]["detect"] == {"enabled": False}
    assert cameras["lobby"]["record"] == {"enabled": True}
    kept = [line for line in FRIGATE.splitlines() if "192.0.2.10" not in line and line not in
            ("        - path: rtsp://192.0.2.10/stream1", "          roles:", "            - record", "      inputs:")]
    assert [line for line in kept if line not in after.splitlines()] == []


def test_a_second_time_changes_nothing(ours: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = FRIGATE.replace("192.0.2.50/1", "192.168.1.7:8554/lobby/1")
    code, after, _ = applied(ours, "frigate", text)
    assert code == 0
    capsys.readouterr()
    code, again, copies = applied(ours, "frigate", after)
    assert (code, again, copies) == (0, after, [])
    assert "says so already" in capsys.readouterr().out


def test_home_assistants_cameras_are_told_apart_by_name(ours: str) -> None:
    text = ("default_config:\nautomation: !include automations.yaml\ncamera:\n  - platform: ffmpeg\n"
            "    name: lobby 1 guarded\n    input: rtsp://192.0.2.10/stream1\n  - platform: generic  # theirs\n"
            "    name: Street\n    still_image_url: !secret street\n")
    code, after, _ = applied(ours, "homeassistant", text)
    assert code == 7
    cameras = parsed(after)["camera"]
    assert [each["name"] for each in cameras] == ["lobby 1 guarded", "Street", "hall 1 guarded"]
    assert cameras[0]["input"] == "rtsp://192.168.1.7:8554/lobby/1"
    assert "still_image_url: !secret street" in after
    assert "automation: !include automations.yaml" in after
    assert "# theirs" in after


def test_viserons_file(ours: str) -> None:
    code, after, _ = applied(ours, "viseron", "ffmpeg:\r\n  camera:\r\n    lobby_1:\r\n      name: Lobby # door\r\n"
                                              "      host: 192.0.2.10\r\n      port: 554\r\n      path: /stream1\r\n")
    assert code == 0
    assert after.count("\n") == after.count("\r\n")
    lobby = yaml.safe_load(after)["ffmpeg"]["camera"]["lobby_1"]
    assert lobby == {"name": "Lobby", "host": "192.168.1.7", "port": 8554, "path": "/lobby/1"}
    raw = "ffmpeg:\n  camera:\n    lobby_1:\n      substream: {path: /raw, port: 554}\n"
    code, _, _ = applied(ours, "viseron", raw)
    assert code == 7, "what is left of the raw camera is found"


@pytest.mark.parametrize(("text", "path"), [
    ("cameras: !include cameras.yml\n", "cameras"),
    ("cameras: [a]\n", "cameras"),
    ("cameras:\n  lobby: &l {ffmpeg: {inputs: []}}\n  garden: *l\n", "cameras.lobby"),
    ("base: &b {detect: {enabled: true}}\ncameras:\n  lobby:\n    <<: *b\n", "cameras.lobby"),
    ("cameras:\n  lobby:\n    ffmpeg: {inputs: !include inputs.yml}\n", "cameras.lobby.ffmpeg.inputs"),
    ("cameras: [\n", "")])
def test_what_cannot_be_merged_is_refused_whole(ours: str, text: str, path: str,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    code, after, copies = applied(ours, "frigate", text)
    assert (code, after, copies) == (7, text, [])
    assert f"{path}: " in capsys.readouterr().err


def test_files_that_are_none(ours: str, tmp_path: Path) -> None:
    assert main(["nvr", "frigate", ours, "--apply", str(tmp_path / "missing.yml")]) == 2
    assert main(["nvr", "frigate", ours, "--apply", str(tmp_path)]) == 2
    assert main(["nvr", "motion", ours, "--apply", ours]) == 2
    code, after, _ = applied(ours, "frigate", "")
    assert code == 0
    assert list(yaml.safe_load(after)["cameras"]) == ["lobby", "hall"]


def test_a_file_changed_meanwhile_is_left_alone(ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from aipg_plugin.hosts import nvr_apply

    theirs = tmp_path / "frigate.yml"
    theirs.write_text("mqtt: {}\n")
    answers = iter(["mqtt: {}\n", "mqtt: {host: other}\n"])
    monkeypatch.setattr(nvr_apply, "read", lambda file: next(answers))
    assert main(["nvr", "frigate", ours, "--apply", str(theirs)]) == 7
    assert theirs.read_text() == "mqtt: {}\n"


def test_no_room_for_a_copy_changes_nothing(ours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "frigate.yml"
    theirs.write_text("mqtt: {}\n")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert main(["nvr", "frigate", ours, "--apply", str(theirs)]) == 2
    assert theirs.read_text() == "mqtt: {}\n"


def test_a_diff_shows_the_lines() -> None:
    assert difference("a\nb\n", "a\nc\n", "x") == "--- x\n+++ x (new)\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def test_a_merge_says_what_it_should() -> None:
    with pytest.raises(HostError):
        merged("- a\n", "b: 1\n")
