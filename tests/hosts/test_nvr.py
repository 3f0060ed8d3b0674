"""`aipg nvr`: configurations as people write them, safe and unsafe; what is not surely ours fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from aipg_plugin.cli.main import main
from aipg_plugin.errors import HostError
from aipg_plugin.hosts.guarded_urls import guarded_urls
from aipg_plugin.hosts.nvr import NVRS, snippet, verify
from aipg_plugin.settings.loader import validate

OURS: Any = {
    "cameras": {
        "lobby": {"streams": {"1": {"source": "rtsp://admin:s3cret@192.0.2.10/stream1", "outputs": ["rtsp_serve"]},
                              "2": {"source": "rtsp://admin:s3cret@192.0.2.10/stream2", "capture_mode": "panorama",
                                    "outputs": ["http"]}},
                  "privacy_guard": {"enabled": True, "target_streams": "all"}},
        "hall": {"streams": {"1": {"source": "rtsp://192.0.2.11:8554/live", "outputs": ["rtsp_serve", "http"]}},
                 "privacy_guard": {"enabled": True, "target_streams": "all"}},
    },
    "web": {"host": "0.0.0.0", "username": "view er", "password": "p@ss/word"},
}
SETTINGS = validate(OURS)
LOGIN = "view%20er:p%40ss%2Fword@"

FRIGATE_SAFE = """
mqtt: {host: broker, user: frigate, password: "{FRIGATE_MQTT_PASSWORD}"}
go2rtc:
  rtsp: {username: u, password: p}
  streams:
    lobby:
      - rtsp://view%20er:p%40ss%2Fword@192.168.1.7:8554/lobby/1
      - "ffmpeg:lobby#audio=opus"
    lobby_sub: ffmpeg:http://192.168.1.7:8097/streams/lobby/2.ts#video=copy
  webrtc: {candidates: ["192.168.1.5:8555", "stun:8555"]}
cameras:
  lobby:
    webui_url: http://192.0.2.10
    onvif: {host: 192.0.2.10, user: admin, password: x}
    ffmpeg:
      output_args: {record: preset-record-generic-audio-copy}
      inputs:
        - {path: "rtsp://127.0.0.1:8554/lobby?video=copy&audio=aac", input_args: preset-rtsp-restream, roles: [record]}
        - {path: "rtsp://u:p@127.0.0.1:8554/lobby_sub", roles: [detect]}
  hall:
    ffmpeg:
      inputs:
        - {path: "rtsp://{FRIGATE_USER}:{FRIGATE_PASSWORD}@guard.local:8554/hall/1", roles: [record, detect]}
birdseye: {enabled: true, restream: true}
"""


def problems(nvr: str, text: str, ours: bool = True, **environ: str) -> dict[str, str]:
    """Place and text of each problem; {} when the configuration is safe."""
    try:
        guarded = verify(nvr, text, SETTINGS if ours else None, environ=environ)
    except HostError as error:
        return {problem.path: problem.text() for problem in error.problems}
    assert guarded
    return {}


def frigate(*, inputs: str = "", go2rtc: str = "", more: str = "") -> str:
    return (f"go2rtc: {{streams: {{{go2rtc}}}}}\ncameras:\n  lobby:\n    ffmpeg:\n      inputs:\n"
            f"        - {{path: 'rtsp://guard:8554/lobby/1', roles: [record]}}\n{inputs}{more}")


def test_a_safe_frigate_passes() -> None:
    assert problems("frigate", FRIGATE_SAFE) == {}
    guarded = verify("frigate", FRIGATE_SAFE, SETTINGS, environ={})
    assert len(guarded) == 3


@pytest.mark.parametrize(("text", "where"), [
    (frigate(inputs="        - {path: 'rtsp://admin:s3cret@192.0.2.10/stream1', roles: [detect]}\n"),
     "cameras.lobby.ffmpeg.inputs.1.path"),
    (frigate(inputs="        - {path: 'rtsp://127.0.0.1:8554/nowhere', roles: [detect]}\n"),
     "cameras.lobby.ffmpeg.inputs.1.path"),
    (frigate(inputs="        - {path: /dev/video0, roles: [detect]}\n"), "cameras.lobby.ffmpeg.inputs.1.path"),
    (frigate(inputs="        - {roles: [detect]}\n"), "cameras.lobby.ffmpeg.inputs.1.path"),
    (frigate(go2rtc="raw: 'rtsp://admin:s3cret@192.0.2.10/stream1'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: ['rtsp://guard:8554/lobby/1', 'rtsp://192.0.2.10/stream1']"), "go2rtc.streams.raw.1"),
    (frigate(go2rtc="raw: 'ffmpeg:rtsp://192.0.2.10/stream1#video=h264'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'ffmpeg:rtsp://guard:8554/lobby/1#input=-i rtsp://192.0.2.10/stream1'"),
     "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'exec:ffmpeg -i rtsp://guard:8554/lobby/1 -f mpegts -'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'nest:?client_id=1&token=s3cret'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'echo:python3 camera.py'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'homekit://192.168.1.60?pin=1'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: 'rtspx://192.168.1.1:7441/abc'"), "go2rtc.streams.raw"),
    (frigate(go2rtc="raw: '${CAMERA_URL}'"), "go2rtc.streams.raw"),
    (frigate(more="      input_args: -rtsp_transport tcp -i rtsp://192.0.2.10/stream1\n"),
     "cameras.lobby.ffmpeg.input_args"),
    (frigate(more="  till:\n    enabled: false\n    ffmpeg: {inputs: [{path: 'rtsp://192.0.2.99/x'}]}\n"),
     "cameras.till.ffmpeg.inputs.0.path"),
    (frigate(more="  till: !include till.yml\n"), "cameras.till"),
    ("go2rtc: !include go2rtc.yml\n" + frigate().split("\n", 1)[1], "go2rtc"),
])
def test_frigate_fails_at_the_very_place(text: str, where: str) -> None:
    found = problems("frigate", text)
    assert list(found) == [where]
    assert "s3cret" not in found[where]
    assert ". Put" in found[where] or ". Write" in found[where]


def test_frigates_variables_are_filled_in() -> None:
    text = frigate(inputs="        - {path: 'rtsp://{FRIGATE_CAM}/stream1', roles: [detect]}\n")
    assert "names a variable" in problems("frigate", text)["cameras.lobby.ffmpeg.inputs.1.path"]
    assert "is the raw camera" in problems("frigate", text, FRIGATE_CAM="192.0.2.10")[
        "cameras.lobby.ffmpeg.inputs.1.path"]
    whole = frigate(inputs="        - {path: '{FRIGATE_URL}', roles: [detect]}\n")
    assert problems("frigate", whole)
    assert problems("frigate", whole, FRIGATE_URL="rtsp://x:y@guard:8554/hall/1") == {}


def test_a_raw_camera_is_no_guard_whatever_its_port_and_path() -> None:
    """A raw camera may serve on our port; even with our path on its host it is not us."""
    for url in ("rtsp://192.0.2.11:8554/live", "rtsp://192.0.2.10:8554/lobby/1", "rtsp://guard:8554@192.0.2.10/stream1",
                "http://192.0.2.10:8097/streams/lobby/2.ts"):
        text = frigate(inputs=f"        - {{path: '{url}', roles: [detect]}}\n")
        assert "is the raw camera" in problems("frigate", text)["cameras.lobby.ffmpeg.inputs.1.path"]


def test_without_our_settings_only_what_is_surely_ours_passes() -> None:
    line = "cameras: {{a: {{ffmpeg: {{inputs: [{{path: '{}', roles: [detect]}}]}}}}}}"
    assert problems("frigate", line.format("http://guard:8097/streams/lobby/1.ts"), ours=False) == {}
    for url in ("rtsp://guard:8554/lobby/1", "http://guard:8097/video", "http://guard:80/streams/lobby/1.ts",
                "rtsp://192.0.2.10/stream1"):
        assert "name our CONFIG" in problems("frigate", line.format(url), ours=False)["cameras.a.ffmpeg.inputs.0.path"]


@pytest.mark.parametrize("text", ["", "- a list", "cameras: {}", "mqtt: {host: x}", "cameras: [", "\t: :"])
def test_what_is_no_configuration_is_not_safe(text: str) -> None:
    assert problems("frigate", text)


VISERON = """
ffmpeg:
  camera:
    lobby:
      host: 192.168.1.7
      port: 8554
      path: /lobby/1
      username: view er
      password: !secret guard_password
      substream: {{port: 8097, path: /streams/lobby/2.ts, stream_format: mjpeg}}
{more}
darknet: {{object_detector: {{cameras: {{lobby: {{}}}}}}}}
"""


@pytest.mark.parametrize(("more", "where"), [
    ("", ""),
    ("      still_image: {url: 'http://192.0.2.10/snapshot.jpg'}", "ffmpeg.camera.lobby.still_image.url"),
    ("      raw_command: ffmpeg -i rtsp://192.0.2.10/stream1 -f rawvideo pipe:1", "ffmpeg.camera.lobby.raw_command"),
    ("    hall: {host: 192.0.2.11, port: 8554, path: /live}", "ffmpeg.camera.hall"),
    ("    hall: {host: !secret hall_host, port: 8554, path: /live}", "ffmpeg.camera.hall"),
    ("    hall: {host: guard, port: 8554, path: /hall/1, substream: {path: /raw, port: 554}}",
     "ffmpeg.camera.hall.substream"),
    ("gstreamer: {camera: {hall: {host: 192.0.2.11, path: /live, port: 8554}}}", "gstreamer.camera.hall"),
    ("go2rtc: {streams: {hall: ['rtsp://192.0.2.11:8554/live']}}", "go2rtc.streams.hall.0"),
])
def test_viseron(more: str, where: str) -> None:
    assert list(problems("viseron", VISERON.format(more=more))) == ([where] if where else [])


@pytest.mark.parametrize(("line", "safe"), [
    ("netcam_url rtsp://guard:8554/lobby/1", True),
    ("netcam_url = http://guard:8097/streams/hall/1.mjpeg", True),
    ("netcam_url http://guard:8097/streams/hall/1.ts\n; netcam_url rtsp://192.0.2.10/stream1", True),
    ("netcam_url rtsp://guard:8554/lobby/1\nnetcam_high_url rtsp://192.0.2.10/stream1", False),
    ("netcam_url rtsp://guard:8554/lobby/1\nvideodevice /dev/video0", False),
    ("netcam_url rtsp://guard:8554/lobby/1\nlibcam_device camera0", False),
])
def test_motion(line: str, safe: bool) -> None:
    assert (not problems("motion", f"daemon off\n# comment\n{line}\n")) is safe


def test_motions_camera_files_are_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "guard.yaml").write_text(yaml.safe_dump(OURS))
    (tmp_path / "camera1.conf").write_text("# lobby\nnetcam_url rtsp://guard:8554/lobby/1\n")
    (tmp_path / "camera2.conf").write_text("netcam_url rtsp://192.0.2.10/stream1\n")
    main_file = tmp_path / "motion.conf"
    main_file.write_text("daemon off\ncamera camera1.conf\n")
    arguments = ["nvr", "motion", str(tmp_path / "guard.yaml"), "--verify", str(main_file)]
    assert main(arguments) == 0
    main_file.write_text("daemon off\ncamera camera1.conf\ncamera camera2.conf\n")
    assert main(arguments) == 7
    assert "camera2.conf line 1 (netcam_url)" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "safe"), [
    ("camera:\n  - platform: ffmpeg\n    input: rtsp://guard:8554/lobby/1\n  - platform: demo\n", True),
    ("camera lobby:\n  - platform: ffmpeg\n    input: -rtsp_transport tcp -i rtsp://guard:8554/lobby/1\n", True),
    ("camera:\n  - platform: ffmpeg\n    input: -rtsp_transport tcp -i rtsp://192.0.2.10/stream1\n", False),
    ("camera:\n  - platform: generic\n    stream_source: rtsp://guard:8554/lobby/1\n"
     "    still_image_url: http://192.0.2.10/snap.jpg\n", False),
    ("camera:\n  - platform: ffmpeg\n    input: !secret lobby\n", False),
    ("camera:\n  - platform: onvif\n    host: 192.0.2.10\n", False),
    ("camera: !include cameras.yaml\n", False),
    ("go2rtc: {streams: {lobby: rtsp://192.0.2.10/stream1}}\n", False),
    ('{"data": {"entries": [{"domain": "generic", "title": "Lobby", "options": {"stream_source": '
     '"rtsp://guard:8554/lobby/1"}}, {"domain": "mqtt", "data": {"broker": "x"}}]}}', True),
    ('{"data": {"entries": [{"domain": "reolink", "title": "Lobby", "data": {"host": "192.0.2.10"}}]}}', False),
])
def test_home_assistant(text: str, safe: bool) -> None:
    assert (not problems("homeassistant", text)) is safe


FRESH = """
# Loads default set of integrations. Do not remove.
default_config:

frontend:
  themes: !include_dir_merge_named themes

automation: !include automations.yaml
script: !include scripts.yaml
scene: !include scenes.yaml
"""  # configuration.yaml as Home Assistant 2024.3 to 2026.2 makes it
ENTRIES: Any = {  # .storage/core.config_entries of Home Assistant 2026.2.3, shortened
    "version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [
        {"created_at": "2026-11-28T01:00:00+00:00", "data": {}, "disabled_by": None, "domain": "sun", "entry_id": "A1",
         "minor_version": 1, "options": {}, "source": "import", "subentries": [], "title": "Sun", "version": 1},
        {"data": {"broker": "192.168.1.7", "port": 1883, "username": "ha", "password": "x"}, "disabled_by": None,
         "domain": "mqtt", "entry_id": "A2", "options": {}, "source": "user", "title": "192.168.1.7", "version": 1},
        {"data": {"host": "192.168.1.9"}, "domain": "tplink", "entry_id": "A3", "options": {}, "source": "user",
         "title": "a plug", "version": 1},
        {"data": {}, "domain": "onvif", "entry_id": "A4", "options": {}, "source": "ignore", "title": "found, ignored",
         "unique_id": "00:11", "version": 1}]}}
REGISTRY = {"version": 1, "key": "core.entity_registry", "data": {"entities": [
    {"entity_id": "switch.plug", "platform": "tplink", "config_entry_id": "A3"},
    {"entity_id": "image.aipg_lobby_1_snapshot", "platform": "mqtt", "config_entry_id": "A2"},
    {"entity_id": "camera.mqtt_map", "platform": "mqtt", "config_entry_id": "A2"}]}}


def _guard_yaml(folder: Path) -> str:
    (folder / "guard.yaml").write_text(yaml.safe_dump(OURS))
    return str(folder / "guard.yaml")


def _with_entry(**entry: object) -> str:
    return json.dumps({"data": {"entries": [*ENTRIES["data"]["entries"], entry]}})


def test_home_assistant_without_cameras_has_nothing_to_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither its files as it makes them, nor with what a user has who sees the guard by MQTT alone."""
    (tmp_path / "configuration.yaml").write_text(FRESH)
    (tmp_path / "core.config_entries").write_text(json.dumps(ENTRIES))
    guard = _guard_yaml(tmp_path)
    for registry in (None, REGISTRY):
        if registry is not None:
            (tmp_path / "core.entity_registry").write_text(json.dumps(registry))
        for name in ("configuration.yaml", "core.config_entries"):
            assert main(["nvr", "homeassistant", "--verify", str(tmp_path / name), guard]) == 0
            assert capsys.readouterr().out == f"{tmp_path / name}: no camera in it\n"
    assert problems("homeassistant", "sensor: []\n"), "whatever this is, it is no configuration.yaml"


def test_a_camera_is_found_by_the_entity_registry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Integrations of which some devices are cameras, whoever they are by."""
    (tmp_path / "core.config_entries").write_text(json.dumps(ENTRIES))
    camera = {"entity_id": "camera.tapo_live_view", "platform": "tplink", "config_entry_id": "A3"}
    (tmp_path / "core.entity_registry").write_text(json.dumps({"data": {"entities": [camera]}}))
    entries, guard = str(tmp_path / "core.config_entries"), _guard_yaml(tmp_path)
    assert main(["nvr", "homeassistant", "--verify", entries, guard]) == 7
    assert "tplink://192.168.1.9" in capsys.readouterr().err


def test_home_assistant_finds_the_guard_by_onvif() -> None:
    """Its entry names host and port; those of a raw camera, or of a guard that has no ONVIF, fail."""
    with_onvif = validate({**OURS, "web": {**OURS["web"], "onvif": True}})
    ours, raw = (_with_entry(domain="onvif", entry_id="A9", source="user", title="Lobby", options={},
                             data={"host": host, "port": port, "username": "u", "password": "p"})
                 for host, port in (("192.168.1.7", 8097), ("192.0.2.10", 8097)))
    assert verify("homeassistant", ours, with_onvif) == ["onvif://192.168.1.7:8097"]
    assert problems("homeassistant", ours)
    with pytest.raises(HostError):
        verify("homeassistant", raw, with_onvif)
    metadata = "camera:\n  - {platform: ffmpeg, input: 'rtsp://192.168.1.7:8554/lobby/1/metadata'}\n"
    assert verify("homeassistant", metadata, with_onvif)
    assert problems("homeassistant", metadata)


@pytest.mark.parametrize("text", [
    "homeassistant:\n  packages: !include_dir_named packages\n", "homeassistant: !include core.yaml\n",
    "homeassistant: {packages: {cctv: !include cctv.yaml}}\n", "default_config:\ngo2rtc: !include go2rtc.yaml\n",
    "homeassistant: {packages: {cctv: {camera: [{platform: ffmpeg, input: 'rtsp://192.0.2.10/stream1'}]}}}\n",
])
def test_cameras_in_packages_are_seen(text: str) -> None:
    assert problems("homeassistant", text)


@pytest.mark.parametrize("nvr", [name for name, known in NVRS.items() if known.sources is not None])
@pytest.mark.parametrize("host", ["", "192.168.1.7", "guard.local", "fd00::7"])
def test_what_we_print_passes_our_own_check(nvr: str, host: str) -> None:
    printed = snippet(nvr, SETTINGS, host)
    assert problems(nvr, printed) == {}
    if host:
        assert host in printed


def test_the_frigate_snippet_is_what_frigate_takes() -> None:
    cameras = yaml.safe_load(snippet("frigate", SETTINGS, "guard"))["cameras"]
    lobby = cameras["lobby"]["ffmpeg"]["inputs"]
    assert [entry["roles"] for entry in lobby] == [["record"], ["detect"]]
    assert lobby[0] == {"path": f"rtsp://{LOGIN}guard:8554/lobby/1", "input_args": "preset-rtsp-restream",
                        "roles": ["record"]}
    assert "preset" not in lobby[1]["input_args"]
    assert cameras["hall"]["ffmpeg"]["inputs"][0]["roles"] == ["record", "detect"]
    assert all(camera["detect"] == camera["record"] == {"enabled": True} for camera in cameras.values())


def test_logins_survive_the_url() -> None:
    (first, *_) = guarded_urls(SETTINGS, "fd00::7")
    assert first.rtsp == f"rtsp://{LOGIN}[fd00::7]:8554/lobby/1"
    camera = yaml.safe_load(snippet("viseron", SETTINGS))["ffmpeg"]["camera"]["lobby_1"]
    assert (camera["username"], camera["password"], camera["port"]) == ("view er", "p@ss/word", 8554)
    assert "netcam_userpass view er:p@ss/word" in snippet("motion", SETTINGS)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = tmp_path / "guard.yaml", tmp_path / "frigate.yml"
    ours.write_text(yaml.safe_dump(OURS))
    theirs.write_text(FRIGATE_SAFE)
    assert main(["nvr", "frigate", str(ours), "--verify", str(theirs)]) == 0
    assert "all 3 sources are guarded" in capsys.readouterr().out
    theirs.write_text(FRIGATE_SAFE.replace("192.168.1.7:8554/lobby/1", "192.0.2.10/stream1"))
    assert main(["nvr", "frigate", str(ours), "--verify", str(theirs)]) == 7
    told = capsys.readouterr()
    assert "NOT SAFE" in told.out
    assert "go2rtc.streams.lobby.0: rtsp://***@192.0.2.10/stream1 is the raw camera" in told.err
    for arguments in (["--verify", str(theirs), str(ours)], [str(ours), "--verify", str(theirs)]):
        theirs.write_text(FRIGATE_SAFE)
        assert main(["nvr", "frigate", *arguments]) == 0
        theirs.write_text(FRIGATE_SAFE.replace("192.168.1.7:8554/lobby/1", "192.0.2.10/stream1"))
        assert main(["nvr", "frigate", *arguments]) == 7
    assert main(["nvr", "frigate", str(ours), "--verify", str(theirs), str(ours)]) == 2
    assert main(["nvr", "frigate", "--verify", str(theirs)]) == 7
    assert main(["nvr", "frigate"]) == 2
    assert main(["nvr", "frigate", "--verify", str(tmp_path / "missing")]) == 2
    assert main(["nvr", "zoneminder", str(ours), "--verify", str(theirs)]) == 7
    assert main(["nvr", "zoneminder", str(ours), "--host", "guard"]) == 0
    printed = capsys.readouterr().out
    assert "rtsp://" in printed
    assert "Capture Resolution  not known" in printed
    assert "INSERT" not in printed, "no monitor of an unknown size"
    assert main(["nvr", "zoneminder", str(ours), "--host", "guard", "--size", "2880x2880"]) == 0
    assert "2880, 2880" in capsys.readouterr().out
    assert main(["nvr", "motion", str(ours), "--size", "2880x2880"]) == 2


NVRS_WITH_FILES = [name for name, known in NVRS.items() if known.sources is not None]
WORDS = st.sampled_from(["cameras", "camera", "ffmpeg", "inputs", "path", "go2rtc", "streams", "host", "port", "rtsp",
                         "listen", "platform", "input", "substream", "still_image", "url", "data", "entries", "domain",
                         "gstreamer", "lobby", "raw_command", "stream"])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12), WORDS, st.sampled_from([
    "rtsp://192.0.2.10/stream1", "rtsp://guard:8554/lobby/1", "ffmpeg:lobby#audio=opus", "rtsp://[::1", "//", ":8554"]))
TREES = st.recursive(LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=4),
                     max_leaves=12)


@given(st.sampled_from(NVRS_WITH_FILES), st.dictionaries(WORDS, TREES, max_size=4), st.booleans())
def test_no_configuration_crashes_the_check(nvr: str, tree: dict[str, object], ours: bool) -> None:
    problems(nvr, yaml.safe_dump(tree), ours)


@given(st.sampled_from(NVRS_WITH_FILES), st.text(max_size=80))
def test_no_text_crashes_the_check(nvr: str, text: str) -> None:
    problems(nvr, text)


@given(st.sampled_from(["rtsp", "rtsps", "http", "https", "rtmp", "srt", "onvif", "weird"]),
       st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True), st.integers(1, 65535),
       st.from_regex(r"/[A-Za-z0-9/_-]{0,12}", fullmatch=True))
def test_no_address_but_ours_passes(scheme: str, host: str, port: int, path: str) -> None:
    url = f"{scheme}://{host}:{port}{path}"
    assume(path.rstrip("/") not in ("/lobby/1", "/hall/1"))
    assert problems("frigate", f"go2rtc: {{streams: {{x: '{url}'}}}}")
    assert problems("frigate", f"cameras: {{a: {{ffmpeg: {{inputs: [{{path: '{url}'}}]}}}}}}")
    assert problems("viseron", f"ffmpeg: {{camera: {{a: {{host: '{host}', port: {port}, path: '{path}'}}}}}}")
    assert problems("motion", f"netcam_url {url}")
    assert problems("homeassistant", f"camera: [{{platform: ffmpeg, input: '{url}'}}]")


def test_a_cameras_password_is_not_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                          monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CAM_PASSWORD", "WEB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    document = {"cameras": {"lobby": {
        "streams": {"1": {"source": "rtsp://user:${CAM_PASSWORD}@192.0.2.10/1", "outputs": ["rtsp_serve"]}},
        "privacy_guard": {"enabled": True, "target_streams": "all"}}}}
    ours = tmp_path / "guard.yaml"
    ours.write_text(yaml.safe_dump(document))
    assert main(["nvr", "frigate", str(ours)]) == 0
    assert "rtsp://127.0.0.1:8554/lobby/1" in capsys.readouterr().out
    ours.write_text(yaml.safe_dump({**document, "web": {"username": "me", "password": "${WEB_PASSWORD}"}}))
    assert main(["nvr", "frigate", str(ours)]) == 3
    assert "WEB_PASSWORD" in capsys.readouterr().err


@pytest.mark.parametrize(("web_host", "host", "told"), [
    ("127.0.0.1", "192.168.1.7", "# WARNING: web.host"), ("127.0.0.1", "", "# NOTE: web.host"),
    ("127.0.0.1", "localhost", ""), ("0.0.0.0", "192.168.1.7", "")])
def test_who_cannot_reach_us_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], web_host: str, host: str,
                                     told: str) -> None:
    ours = tmp_path / "guard.yaml"
    ours.write_text(yaml.safe_dump({**OURS, "web": {**OURS["web"], "host": web_host}}))
    assert main(["nvr", "motion", str(ours), *(["--host", host] if host else [])]) == 0
    out = capsys.readouterr().out
    assert told in out
    assert ("web.host" in out) is bool(told)
