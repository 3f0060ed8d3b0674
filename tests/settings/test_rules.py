"""Rules across settings: each fires on what it is for, and not on its neighbour."""

from typing import Any

import pytest

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import validate, warnings_of
from aipg_plugin.settings.rules import is_loopback
from tests.settings.examples import LOBBY, changed

GUARD = "cameras.lobby.privacy_guard"
STREAM = "cameras.lobby.streams.1"
VIEWS = [{"yaw_deg": 30.0 * i} for i in range(4)]


def paths_of(data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        validate(data)
    return {problem.path: problem.text() for problem in caught.value.problems}


def single(**camera: Any) -> dict[str, Any]:
    """One camera with stream 1, guarded."""
    stream = {"source": "rtsp://192.0.2.1/1", **camera.pop("stream", {})}
    guard = {"enabled": True, "target_streams": "all"}
    return {"cameras": {"lobby": {"streams": {"1": stream}, "privacy_guard": guard, **camera}}}


@pytest.mark.parametrize(("mode", "mount", "allowed"), [
    ("fisheye", "ceiling", True), ("fisheye", "wall", True),
    ("panorama", "ceiling", True), ("panorama", "wall", True),
    ("double_panorama", "ceiling", True), ("double_panorama", "wall", False),
    ("quad_ptz", "ceiling", True), ("quad_ptz", "wall", False),
    ("single_ptz", "ceiling", True), ("single_ptz", "wall", True),
    ("corridor", "ceiling", False), ("corridor", "wall", True)])
def test_capture_mode_and_mount(mode: str, mount: str, allowed: bool) -> None:
    data = single(mount=mount, stream={"capture_mode": mode})
    if allowed:
        assert validate(data).cameras[0].streams[0].capture_mode == mode
    else:
        text = "\n".join(paths_of(data).values())
        assert mode in text
        assert mount in text


def test_quad_ptz_on_a_wall_needs_its_views() -> None:
    stream = {"capture_mode": "quad_ptz", "views": VIEWS}
    assert len(validate(single(mount="wall", stream=stream)).cameras[0].streams[0].views) == 4
    assert f"{STREAM}.views" in paths_of(single(stream={**stream, "views": VIEWS[:3]}))
    assert f"{STREAM}.views" in paths_of(single(stream={**stream, "capture_mode": "panorama"}))


def test_streams_that_are_not_there() -> None:
    assert "Its streams are 1, 2" in paths_of(changed(f"{GUARD}.target_streams", ["3"]))[f"{GUARD}.target_streams"]
    assert f"{GUARD}.prohibited_areas.0.stream" in paths_of(changed(f"{GUARD}.prohibited_areas.0.stream", "3"))
    assert validate(changed(f"{GUARD}.prohibited_areas.0.stream", "2"))


def test_area_numbers_are_taken_once_in_each_list() -> None:
    assert f"{GUARD}.prohibited_areas.1.number" in paths_of(changed(f"{GUARD}.prohibited_areas.1.number", 1))
    assert validate(changed(f"{GUARD}.always_mask_areas.0.number", 1))


@pytest.mark.parametrize(("lens", "at"), [
    ({"model": "kannala_brandt"}, "coefficients"),
    ({"model": "kannala_brandt", "coefficients": [0.1, 0.2, 0.3]}, "coefficients"),
    ({"model": "equisolid", "coefficients": [0.1, 0.2, 0.3, 0.4]}, "coefficients"),
    ({"model": "orthographic", "fov_deg": 190}, "fov_deg")])
def test_a_lens_that_cannot_be(lens: dict[str, Any], at: str) -> None:
    assert f"cameras.lobby.lens.{at}" in paths_of(changed("cameras.lobby.lens", lens))


def test_a_lens_that_can_be() -> None:
    lens = {"model": "kannala_brandt", "coefficients": [0.1, 0.2, 0.3, 0.4], "fov_deg": 220}
    assert validate(changed("cameras.lobby.lens", lens)).cameras[0].lens.coefficients == (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(("outputs", "at"), [
    ([{"kind": "file"}], "0.target"),
    ([{"kind": "file", "target": "out.avi"}], "0.target"),
    ([{"kind": "segments", "target": "rtsp://x/y"}], "0.target"),
    ([{"kind": "rtsp_publish", "target": "out.mp4"}], "0.target"),
    ([{"kind": "rtsp_publish", "target": "rtsp://"}], "0.target"),
    ([{"kind": "http", "target": "x"}], "0.target"),
    ([{"kind": "http"}, {"kind": "http"}], "1.kind"),
    ([{"kind": "segments", "target": "out", "segment_s": 1, "gop_s": 2}], "0.segment_s"),
    ([{"kind": "file", "target": "out.mp4"}, {"kind": "file", "target": "./out.mp4"}], "1.target"),
    ([{"kind": "rtsp_publish", "target": "rtsp://user:pass@192.0.2.10/1"}], "0.target")])
def test_outputs_that_cannot_be(outputs: list[Any], at: str) -> None:
    found = paths_of(changed(f"{STREAM}.outputs", outputs))
    assert f"{STREAM}.outputs.{at}" in found
    assert "pass" not in "".join(found.values()).replace("password", "")


def test_two_cameras_write_the_same_file() -> None:
    stream = {"source": "b.mp4", "outputs": [{"kind": "file", "target": "out.mp4"}]}
    data = changed("cameras.hall", {"streams": {"1": stream}})
    data = changed(f"{STREAM}.outputs", [{"kind": "file", "target": "out.mp4"}], data)
    found = paths_of(data)
    assert f"{STREAM}.outputs.0.target" in found["cameras.hall.streams.1.outputs.0.target"]


def test_an_output_never_overwrites_a_source() -> None:
    stream = {"source": "in.mp4", "outputs": [{"kind": "file", "target": "in.mp4"}]}
    assert list(paths_of({"cameras": {"a": {"streams": {"1": stream}}}})) == ["cameras.a.streams.1.outputs.0.target"]


@pytest.mark.parametrize(("token", "strong"), [
    ("short", False), ("aaaaaaaaaaaaaaaa", False), ("abcabcabcabcabc", False), ("kite-harbour-41-lamp", True)])
def test_off_token(token: str, strong: bool) -> None:
    data = changed(f"{GUARD}.off_token", token)
    if strong:
        assert validate(data).cameras[0].privacy_guard.off_token == token
    else:
        found = paths_of(data)
        assert list(found) == [f"{GUARD}.off_token"]
        assert token not in found[f"{GUARD}.off_token"]


@pytest.mark.parametrize(("section", "at"), [
    ({"web": {"host": "0.0.0.0"}}, "web.username"),
    ({"web": {"host": "192.0.2.1", "username": "u"}}, "web.password"),
    ({"web": {"host": "::", "username": "u", "password": "short"}}, "web.password"),
    ({"web": {"password": "long enough"}}, "web.username"),
    ({"web": {"port": 8554}}, "web.rtsp_port"),
    ({"web": {"port": 1883}, "mqtt": {"broker": "embedded"}}, "mqtt.port"),
    ({"mqtt": {"broker": "b", "password": "p"}}, "mqtt.username"),
    ({"mqtt": {"broker": "b", "tls": True, "tls_cert": "c.pem"}}, "mqtt.tls_key"),
    ({"mqtt": {"broker": "b", "tls_ca": "ca.pem"}}, "mqtt.tls_ca"),
    ({"mqtt": {"broker": "embedded", "tls": True}}, "mqtt.tls"),
    ({"mqtt": {"broker": "embedded", "follow_frigate": True}}, "mqtt.follow_frigate"),
    ({"models": {"custom": {"file": "m.onnx", "person_class": 1, "classes": 1}}}, "models.custom.person_class")])
def test_sections_that_cannot_be(section: dict[str, Any], at: str) -> None:
    assert list(paths_of(section)) == [at]


@pytest.mark.parametrize("section", [
    {"web": {"host": "0.0.0.0", "username": "u", "password": "long enough"}},
    {"web": {"host": "localhost"}}, {"web": {"host": "::1"}},
    {"web": {"port": 0, "rtsp_port": 0}, "mqtt": {"broker": "embedded", "port": 0}},
    {"web": {"port": 1883}, "mqtt": {"broker": "broker.lan"}},
    {"mqtt": {"broker": "b", "tls": True, "tls_cert": "c.pem", "tls_key": "k.pem", "username": "u"}}])
def test_sections_that_can_be(section: dict[str, Any]) -> None:
    assert validate(section)


@pytest.mark.parametrize(("host", "inside"), [
    ("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("LOCALHOST", True),
    ("0.0.0.0", False), ("::", False), ("localhost.example.org", False), ("192.0.2.1", False), ("", False)])
def test_loopback(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


def test_warnings() -> None:
    assert warnings_of(validate(LOBBY)) == ()
    clear = warnings_of(validate(changed(f"{GUARD}.target_streams", ["2"])))
    assert [problem.path for problem in clear] == [f"{STREAM}.outputs"]
    assert "people will be visible" in clear[0].text()
    assert [problem.path for problem in warnings_of(validate({}))] == ["cameras"]
    idle = warnings_of(validate(changed(f"{STREAM}.view", {"yaw_deg": 10})))
    assert [problem.path for problem in idle] == [f"{STREAM}.view"]


def test_a_broker_without_a_login_may_switch_the_guard_off() -> None:
    def warned(**mqtt: object) -> list[str]:
        return [problem.path for problem in warnings_of(validate(changed("mqtt", mqtt)))]

    lobby = validate(LOBBY).cameras[0].privacy_guard
    assert lobby.off_token is None
    path = "cameras.lobby.privacy_guard.off_token"
    assert warned(broker="broker.lan") == [path]
    assert warned(broker="broker.lan", username="guard") == []
    assert warned(broker="broker.lan", tls=True, tls_cert="c.pem", tls_key="k.pem") == []
    assert warned(broker="embedded") == warned(broker="off") == []
    with_token = changed(f"{GUARD}.off_token", "kite-harbour-41-lamp", changed("mqtt", {"broker": "broker.lan"}))
    assert warnings_of(validate(with_token)) == ()


def test_onvif_needs_a_password_it_can_compare() -> None:
    web = {"onvif": True, "username": "viewer", "password": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"}
    assert "web.password" in paths_of({"web": web})
    assert validate({"web": {**web, "password": "plain text"}}).web.onvif
    assert not validate({"web": {**web, "onvif": False}}).web.onvif
