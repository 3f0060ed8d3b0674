"""What changed between two settings, and what of it leaves people less protected."""

import dataclasses
from typing import Any

import pytest

from aipg_plugin.options import Area, Settings
from aipg_plugin.settings import apply_change, validate
from aipg_plugin.settings.changes import Change, changes
from tests.settings.examples import LOBBY

SETTINGS = validate(LOBBY)
TRIANGLE = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.5))


def weakening(before: Settings, after: Settings) -> list[Change]:
    return [change for change in changes(before, after) if change.weakens]


def with_guard(settings: Settings = SETTINGS, **guard: Any) -> Settings:
    camera = settings.cameras[0]
    return dataclasses.replace(settings, cameras=(dataclasses.replace(
        camera, privacy_guard=dataclasses.replace(camera.privacy_guard, **guard)),))


def test_nothing_changed() -> None:
    assert changes(SETTINGS, SETTINGS) == []
    assert changes(SETTINGS, dataclasses.replace(SETTINGS, cameras=())) == []
    assert changes(dataclasses.replace(SETTINGS, cameras=()), SETTINGS) == []


@pytest.mark.parametrize(("key", "value", "text", "weakens"), [
    ("guard", "OFF", "lobby/1 guard: on → off", True),
    ("sensitivity", "low", "lobby sensitivity: medium → low", True),
    ("masking_method", "filling", "lobby masking_method: blurring → filling", False),
    ("camera_height", "2.5", "lobby camera_height: 3.2 → 2.5", True)])
def test_controls(key: str, value: str, text: str, weakens: bool) -> None:
    base = with_guard(sensitivity=SETTINGS.cameras[0].privacy_guard.sensitivity.__class__("medium"),
                      masking_method=SETTINGS.cameras[0].privacy_guard.masking_method.__class__("blurring"))
    base = apply_change(base, "lobby", "1", "camera_height", "3.2")
    found = changes(base, apply_change(base, "lobby", "1", key, value))
    assert [(change.text, change.weakens) for change in found] == [(text, weakens)]


def test_a_new_stream_that_shows_people_weakens() -> None:
    lobby = SETTINGS.cameras[0]
    assert lobby.streams[0].outputs
    open_one = dataclasses.replace(lobby, id="yard", privacy_guard=dataclasses.replace(
        lobby.privacy_guard, enabled=False))
    after = dataclasses.replace(SETTINGS, cameras=(lobby, open_one))
    assert [change.text for change in weakening(SETTINGS, after)] == [
        f"yard/{stream.id} guard: none → off" for stream in lobby.streams if stream.outputs]
    assert changes(after, after) == []
    guarded = dataclasses.replace(SETTINGS, cameras=(lobby, dataclasses.replace(lobby, id="yard")))
    assert weakening(SETTINGS, guarded) == []


@pytest.mark.parametrize(("before", "after", "keys"), [
    ({"hold_s": 3.0}, {"hold_s": 2.0}, ["hold_s"]), ({"hold_s": 3.0}, {"hold_s": 4.0}, []),
    ({"lookahead_s": 0.4}, {"lookahead_s": 0.0}, ["lookahead_s"]), ({"detect_hz": 5.0}, {"detect_hz": 1.0},
                                                                   ["detect_hz"]),
    ({"circumferential_width": 0.2}, {"circumferential_width": 0.1}, ["circumferential_width"]),
    ({"off_token": "kite-harbour-41-lamp"}, {"off_token": None}, ["off_token"]),
    ({"off_token": "kite-harbour-41-lamp"}, {"off_token": "lamp-harbour-41-kite"}, []),
    ({"prohibited_areas": ()}, {"prohibited_areas": (Area(1, TRIANGLE, enabled=True),)}, ["area/1"]),
    ({"prohibited_areas": ()}, {"prohibited_areas": (Area(1, TRIANGLE),)}, []),
    ({"prohibited_areas": (Area(1, TRIANGLE, enabled=True),)}, {"prohibited_areas": ()}, []),
    ({"prohibited_areas": (Area(1, TRIANGLE, enabled=True),)},
     {"prohibited_areas": (Area(1, TRIANGLE[::-1], enabled=True),)}, ["area/1/points"]),
    ({"always_mask_areas": (Area(1, TRIANGLE, enabled=True),)}, {"always_mask_areas": ()}, ["always_mask_area/1"]),
    ({"always_mask_areas": (Area(1, TRIANGLE),)}, {"always_mask_areas": ()}, []),
    ({"always_mask_areas": ()}, {"always_mask_areas": (Area(1, TRIANGLE, enabled=True),)}, [])])
def test_what_weakens_beside_the_controls(before: dict[str, Any], after: dict[str, Any], keys: list[str]) -> None:
    found = weakening(with_guard(**before), with_guard(**after))
    assert [change.key for change in found] == keys
    assert "harbour" not in "".join(change.text for change in found)
