"""Dicts to Settings: defaults, spellings, and every kind of error."""

from typing import Any

import pytest

from aipg_plugin import options
from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import to_dict, validate
from aipg_plugin.settings.installation import installation_id
from tests.settings.examples import LOBBY, changed

CAMERA = "cameras.lobby"
GUARD = f"{CAMERA}.privacy_guard"


def test_empty_settings_are_the_defaults() -> None:
    wanted = options.Settings(instance_id=installation_id(), mqtt=options.Mqtt(client_id=f"aipg-{installation_id()}"))
    assert validate({}) == validate(None) == wanted


def test_a_camera_needs_only_a_source() -> None:
    camera = validate({"cameras": {"a": {"streams": {"1": {"source": "clip.mp4"}}}}}).cameras[0]
    assert camera == options.Camera("a", (options.Stream("1", options.Source("clip.mp4")),))


def test_the_references_defaults() -> None:
    guard, camera = options.PrivacyGuard(), options.Camera("a", ())
    assert (guard.enabled, guard.target_streams, guard.circumferential_mosaic) == (False, (), False)
    assert (guard.masking_method, guard.sensitivity, guard.blur_intensity) == ("blurring", "high", "middle")
    assert (camera.camera_height_m, camera.mount) == (3.0, "ceiling")


def test_values_arrive() -> None:
    camera = validate(LOBBY).cameras[0]
    first, second = camera.streams
    assert first.source.url == "rtsp://user:pass@192.0.2.10/1"
    assert first.outputs == (options.Output(options.OutputKind.HTTP),)
    assert second.capture_mode is options.CaptureMode.DOUBLE_PANORAMA
    area, polygon = camera.privacy_guard.prohibited_areas
    assert area.points == ((0.1, 0.1), (0.2, 0.1), (0.2, 0.2), (0.1, 0.2))
    assert (area.number, area.enabled, area.colour) == (1, True, "#ffffff")
    assert (polygon.number, polygon.enabled, len(polygon.points)) == (2, False, 3)
    assert polygon.colour not in ("#ffffff", area.colour)


@pytest.mark.parametrize("word", [True, "on", "On", "yes", "TRUE"])
def test_on_is_spelt_many_ways(word: object) -> None:
    assert validate(changed(f"{GUARD}.enabled", word)).cameras[0].privacy_guard.enabled is True


@pytest.mark.parametrize(("given", "expected"), [
    ("all", ("1", "2")), (["2", 1], ("2", "1")), ("2", ("2",)), (2, ("2",)), ("off", ()), (False, ()), ([], ())])
def test_target_streams(given: object, expected: tuple[str, ...]) -> None:
    assert validate(changed(f"{GUARD}.target_streams", given)).cameras[0].privacy_guard.target_streams == expected


def test_a_number_or_word_alone_stands_for_a_table() -> None:
    stream = validate({"cameras": {"a": {"streams": {1: {"source": 0, "outputs": ["http", "rtsp_serve"]}}}}}
                      ).cameras[0].streams[0]
    assert (stream.id, stream.source.url) == ("1", "0")
    assert [output.kind.value for output in stream.outputs] == ["http", "rtsp_serve"]


def test_yaml_booleans_are_taken_where_off_is_a_word() -> None:
    assert validate({"mqtt": {"broker": False}}).mqtt.broker == "off"


def test_more_than_eight_areas() -> None:
    areas = [{"rectangle": [0.1 * i, 0, 0.1 * i + 0.05, 0.5]} for i in range(9)]
    numbered = validate(changed(f"{GUARD}.prohibited_areas", areas)).cameras[0].privacy_guard.prohibited_areas
    assert len({area.colour for area in numbered[:8]}) == 8
    assert (numbered[8].number, numbered[8].colour) == (9, "#ffffff")


WRONG: list[tuple[str, Any, str]] = [
    (f"{CAMERA}.lens.fov_deg", 400, "400 is not in 90–220"),
    (f"{CAMERA}.lens.fov_deg", float("nan"), "nan is not a finite number"),
    (f"{CAMERA}.lens.fov_deg", 10**400, "not a finite number"),
    (f"{CAMERA}.lens.fov_deg", True, "true is not a number"),
    (f"{CAMERA}.lens.model", "equidistan", "Did you mean equidistant?"),
    (f"{CAMERA}.lens.circle", "somewhere", "Write auto or [cx, cy, radius]"),
    (f"{CAMERA}.lens.circle", [0.5, 0.5], "has 2 items"),
    (f"{CAMERA}.camera_height", 3.05, "3.05 is not a multiple of 0.1"),
    (f"{CAMERA}.camera_height", 2.4, "2.4 is not in 2.5–5"),
    (f"{CAMERA}.camera_heigth", 3, "Did you mean camera_height?"),
    (f"{CAMERA}.streams", {}, "has no entry"),
    (f"{CAMERA}.streams.all", {"source": "x"}, "reserved"),
    (f"{CAMERA}.streams.1.source", "gopher://x", "not an address that can be read"),
    (f"{CAMERA}.streams.1.outputs.0.kind", "htp", "Did you mean http?"),
    (f"{CAMERA}.streams.1.outputs", "http", "is not a list"),
    (f"{GUARD}.enabled", "maybe", "neither on nor off"),
    (f"{GUARD}.target_streams", None, "is missing while the guard is on"),
    (f"{GUARD}.prohibited_areas.0.rectangle", [0, 0, 0, 1], "encloses nothing"),
    (f"{GUARD}.prohibited_areas.0.rectangle.2", 1.01, "1.01 is not in 0–1"),
    (f"{GUARD}.prohibited_areas.0.colour", "white", "not a colour"),
    (f"{GUARD}.prohibited_areas.0.colour", "#12345g", "not a colour"),
    (f"{GUARD}.prohibited_areas.0.number", 0, "0 is not in 1–999"),
    (f"{GUARD}.prohibited_areas.1.points", [[0, 0], [1, 1], [1, 0], [0, 1]], "crosses itself"),
    (f"{GUARD}.prohibited_areas.1.points", [[0, 0], [0.5, 0.5], [1, 1]], ""),
    (f"{GUARD}.prohibited_areas.1.points.0", [0.5], "has 1 items"),
    ("mqtt.broker", "mqtt://broker:1883", "more than a host name"),
    ("mqtt.prefix", "a/#", "without wildcards"),
    ("mqtt.port", 1.5, "not a whole number"),
    ("mqtt.password", 123456, "Put it in quotes"),
    ("language", "tlh", "not one of"),
    ("cameras", ["lobby"], "is not a table of settings"),
    ("models.providers", [], "has 0 items"),
    ("models.custom", {"file": "x.pt"}, "an .onnx file"),
]


@pytest.mark.parametrize(("path", "value", "says"), WRONG, ids=[f"{path}={str(v)[:20]}" for path, v, _ in WRONG])
def test_an_error_names_path_value_and_cure(path: str, value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        validate(changed(path, value))
    assert any(problem.path.startswith(path) and says in problem.text() for problem in caught.value.problems), \
        str(caught.value)
    assert all(problem.cure for problem in caught.value.problems)


def test_the_message_of_the_brief() -> None:
    with pytest.raises(SettingsError, match=r"^cameras\.lobby\.lens\.fov_deg: 400 is not in 90–220\. Choose"):
        validate(changed("cameras.lobby.lens.fov_deg", 400))


def test_everything_is_told_at_once() -> None:
    data = changed(f"{CAMERA}.lens.fov_deg", 400)
    data = changed(f"{CAMERA}.mont", "wall", data)
    data = changed(f"{GUARD}.prohibited_areas.0.status", "perhaps", data)
    data = changed(f"{GUARD}.prohibited_areas.1.number", 0, data)
    data = changed("cameras.hall", {"streams": {"1": {"source": "a.mp4", "capture_mode": "corridor"}}}, data)
    data = changed("web", {"host": "0.0.0.0"}, data)
    data = changed("mqtt.password", "${NOT_SET_ANYWHERE}", data)
    with pytest.raises(SettingsError) as caught:
        validate(data, environ={})
    assert {problem.path for problem in caught.value.problems} >= {
        f"{CAMERA}.lens.fov_deg", f"{CAMERA}.mont", f"{GUARD}.prohibited_areas.0.status",
        f"{GUARD}.prohibited_areas.1.number", "cameras.hall.streams.1.capture_mode", "web.username", "mqtt.password"}


def test_a_missing_source_is_told() -> None:
    with pytest.raises(SettingsError, match=r"cameras\.a\.streams\.1\.source: is missing\. Add it"):
        validate({"cameras": {"a": {"streams": {"1": {}}}}})


def test_one_name_twice() -> None:
    streams = {"1": {"source": "a"}, 1: {"source": "b"}}
    with pytest.raises(SettingsError, match="1 is there twice"):
        validate({"cameras": {"a": {"streams": streams}}})


def test_errors_never_quote_secrets() -> None:
    data = changed(f"{CAMERA}.streams.1.source", "ftp://admin:hunter2@192.0.2.1/x")
    data = changed(f"{GUARD}.off_token", "hunter2\n", data)
    data = changed("web.password", ["hunter2"], data)
    with pytest.raises(SettingsError) as caught:
        validate(data)
    assert len(caught.value.problems) == 3
    assert "hunter2" not in str(caught.value)


def test_environment_variables() -> None:
    data = changed("mqtt", {"broker": "${HOST:-broker.lan}", "port": "${PORT}", "username": "u", "password": "$${x}"})
    mqtt = validate(data, environ={"PORT": "8883"}).mqtt
    assert (mqtt.broker, mqtt.port, mqtt.password) == ("broker.lan", 8883, "${x}")


def test_everything_written_out_reads_the_same() -> None:
    settings = validate(changed("web.password", "a${b", changed("web.username", "u")), environ={})
    assert settings.web.password == "a${b"
    assert validate(to_dict(settings), environ={}) == settings
