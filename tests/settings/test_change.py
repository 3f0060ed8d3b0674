"""Commands: the same schema as the file, and nothing else touched."""

from dataclasses import replace
from pathlib import Path

import pytest

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import apply_change, changed_paths, load, save_changes, validate
from aipg_plugin.settings.change import kept_running
from tests.settings.examples import LOBBY

SETTINGS = validate(LOBBY)


@pytest.mark.parametrize(("key", "value", "field", "expected"), [
    ("masking_method", "filling", "masking_method", "filling"),
    ("sensitivity", "low", "sensitivity", "low"),
    ("blur_intensity", "HIGH", "blur_intensity", "high"),
    ("circumferential_mosaic", "ON", "circumferential_mosaic", True),
    ("enabled", "OFF", "enabled", False),
    ("guard", "OFF", "enabled", False)])
def test_commands(key: str, value: str, field: str, expected: object) -> None:
    after = apply_change(SETTINGS, "lobby", "1", key, value)
    assert getattr(after.cameras[0].privacy_guard, field) == expected
    before = SETTINGS.cameras[0].privacy_guard
    guard = replace(after.cameras[0].privacy_guard, **{field: getattr(before, field)}, target_streams=("1",),
                    prohibited_areas=before.prohibited_areas, always_mask_areas=before.always_mask_areas)
    assert replace(after, cameras=(replace(after.cameras[0], privacy_guard=guard),)) == SETTINGS


def test_height_arrives_as_text() -> None:
    assert apply_change(SETTINGS, "lobby", "2", "camera_height", "3.4").cameras[0].camera_height_m == 3.4
    assert changed_paths(SETTINGS, "lobby", "2", "camera_height", "3.4") == {"cameras.lobby.camera_height": 3.4}


def test_the_guard_of_one_stream() -> None:
    both = apply_change(SETTINGS, "lobby", "2", "guard", "ON")
    assert both.cameras[0].privacy_guard.target_streams == ("1", "2")
    second = apply_change(both, "lobby", "1", "guard", "OFF")
    assert (second.cameras[0].privacy_guard.enabled, second.cameras[0].privacy_guard.target_streams) == (True, ("2",))
    none = apply_change(second, "lobby", "2", "guard", "OFF")
    assert (none.cameras[0].privacy_guard.enabled, none.cameras[0].privacy_guard.target_streams) == (False, ("2",))
    assert apply_change(none, "lobby", "2", "guard", "ON") == second


def test_off_and_on_again_leaves_a_files_all_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "aipg.yaml"
    file.write_text("cameras:\n  lobby:\n    streams: {1: {source: a.mp4}}\n    privacy_guard:\n      enabled: on\n"
                    "      target_streams: all\n")
    for value in ("OFF", "ON"):
        save_changes(file, changed_paths(load(file).settings, "lobby", "1", "guard", value))
        assert load(file).settings.cameras[0].privacy_guard.enabled == (value == "ON")
        assert "target_streams: all" in file.read_text()


def test_areas_stay_on_their_stream_when_another_becomes_the_first_target() -> None:
    """A prohibited area leaves people clear: on the picture it was not drawn on it would bare the wrong ones."""
    before = SETTINGS.cameras[0].privacy_guard
    areas = before.prohibited_areas + before.always_mask_areas
    settings = SETTINGS
    for stream, value in (("2", "ON"), ("1", "OFF"), ("1", "ON"), ("2", "OFF"), ("1", "OFF"), ("2", "ON")):
        settings = apply_change(settings, "lobby", stream, "guard", value)
        guard = settings.cameras[0].privacy_guard
        for area, now in zip(areas, guard.prohibited_areas + guard.always_mask_areas, strict=True):
            on = now.stream or (guard.target_streams[0] if guard.target_streams else "1")
            assert on == (area.stream or "1"), (stream, value)


def test_areas_by_number() -> None:
    after = apply_change(SETTINGS, "lobby", "1", "area/2", "ON").cameras[0].privacy_guard
    assert [area.enabled for area in after.prohibited_areas] == [True, True]
    after = apply_change(SETTINGS, "lobby", "1", "always_mask_area/1", "ON").cameras[0].privacy_guard
    assert after.always_mask_areas[0].enabled is True
    assert [area.enabled for area in after.prohibited_areas] == [True, False]


@pytest.mark.parametrize(("camera", "stream", "key", "value", "says"), [
    ("loby", "1", "guard", "ON", "Did you mean lobby?"),
    ("lobby", "3", "guard", "ON", "cameras.lobby.streams"),
    ("lobby", "1", "gaurd", "ON", "Did you mean guard?"),
    ("lobby", "1", "area/9", "ON", "there is no area 9"),
    ("lobby", "1", "area/1", "perhaps", "neither on nor off"),
    ("lobby", "1", "area/", "ON", "unknown"),
    ("lobby", "1", "guard", "1" * 10_000, "neither on nor off"),
    ("lobby", "1", "camera_height", "6", "6 is not in 2.5–5"),
    ("lobby", "1", "camera_height", "nan", "finite"),
    ("lobby", "1", "sensitivity", "${HOME}", "not one of"),
    ("lobby", "1", "sensitivity", None, "not one of"),
    ("lobby", "1", "off_token", "kite-harbour-41-lamp", "unknown"),
    ("lobby", "1", "masking_method", {"a": 1}, "not one of")])
def test_bad_commands(camera: str, stream: str, key: str, value: object, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        apply_change(SETTINGS, camera, stream, key, value)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(("key", "value"), [("guard", "OFF"), ("area/2", "ON"), ("sensitivity", "low")])
def test_persisted_it_is_what_was_applied(tmp_path: Path, key: str, value: str) -> None:
    file = tmp_path / "aipg.yaml"
    file.write_text("cameras:\n  lobby:\n    streams: {1: {source: a.mp4}, 2: {source: b.mp4}}\n    privacy_guard:\n"
                    "      enabled: on\n      target_streams: all\n      prohibited_areas:\n"
                    "        - {rectangle: [0, 0, 0.5, 0.5]}\n        - rectangle: [0.5, 0.5, 1, 1]\n")
    settings = load(file).settings
    saved = save_changes(file, changed_paths(settings, "lobby", "1", key, value))
    assert saved.settings == apply_change(settings, "lobby", "1", key, value) != settings


def test_a_file_read_anew_keeps_what_was_changed_while_running() -> None:
    running = SETTINGS
    for stream, key, value in (("2", "guard", "ON"), ("1", "guard", "OFF"), ("1", "sensitivity", "low"),
                               ("1", "area/2", "ON"), ("1", "camera_height", "4.5")):
        running = apply_change(running, "lobby", stream, key, value)
    settings = kept_running(SETTINGS, running, SETTINGS)
    guard, wanted = settings.cameras[0].privacy_guard, running.cameras[0].privacy_guard
    assert (guard.enabled, guard.target_streams, guard.sensitivity) == (True, ("2",), "low") == (
        wanted.enabled, wanted.target_streams, wanted.sensitivity)
    assert settings.cameras[0].camera_height_m == 4.5
    assert all(area.enabled for area in guard.prohibited_areas)


def test_what_the_file_changed_wins_and_the_rest_is_the_files() -> None:
    running = apply_change(apply_change(SETTINGS, "lobby", "1", "camera_height", "4.5"), "lobby", "1", "guard", "OFF")
    file = apply_change(SETTINGS, "lobby", "1", "camera_height", "2.5")
    file = replace(file, instance_id="other")
    settings = kept_running(SETTINGS, running, file)
    assert settings.cameras[0].camera_height_m == 2.5
    assert settings.instance_id == "other"
    assert not settings.cameras[0].privacy_guard.enabled
    assert kept_running(SETTINGS, SETTINGS, file) == file
    assert kept_running(SETTINGS, running, replace(file, cameras=())) == replace(file, cameras=())
