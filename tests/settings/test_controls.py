"""The table of controls: complete, true to the schema, and read and written at the same place."""

import argparse
import dataclasses

import pytest
import voluptuous as vol

from aipg_plugin.cli.common import add_camera_arguments, camera_from
from aipg_plugin.detection import onnx
from aipg_plugin.detection.manifest import manifest
from aipg_plugin.errors import UsageError
from aipg_plugin.resources import languages, translations
from aipg_plugin.settings import apply_change, controls, validate
from aipg_plugin.settings.controls import CONTROLS, Control, Kind, Scope
from aipg_plugin.settings.describe import describe
from aipg_plugin.settings.schema import MODELS, choices_of, validator_at
from tests.settings.examples import LOBBY

SETTINGS = validate(LOBBY)
CAMERA = SETTINGS.cameras[0]
OTHER = {Kind.SWITCH: lambda control, value: not value,
         Kind.SELECT: lambda control, value: next(choice for choice in control.choices if choice != value),
         Kind.NUMBER: lambda control, value: control.range.low if value != control.range.low else control.range.high}
EACH = [pytest.param(control, place, id=control.key(place)) for control in CONTROLS
        for place in control.places(CAMERA)]


def test_ids_are_unique_and_found() -> None:
    assert len({control.id for control in CONTROLS}) == len(CONTROLS)
    for control, place, _ in controls.in_force(CAMERA):
        assert controls.find(control.key(place)) == (control, place if control.scope is Scope.AREA else "")


@pytest.mark.parametrize("key", ["", "area", "area/", "area/x", "area/03", "area/-1", "area/12345", "area/٣", "guard/1",
                                 "off_token", "sensitivity/"])
def test_what_is_no_control(key: str) -> None:
    assert controls.find(key) is None


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
def test_range_and_choices_are_the_schemas(control: Control) -> None:
    by_path = {setting.path: setting for setting in describe()}
    setting = by_path[f"cameras.<camera>.{control.setting}"]
    assert control.choices == setting.choices
    if control.range is not None:
        assert (control.range.low, control.range.high, control.range.step, control.range.unit) == (
            setting.low, setting.high, setting.step, setting.unit)
    for language in languages():
        assert control.id in translations(language)["mqtt"]["entities"], language
        assert control.name(language)


@pytest.mark.parametrize(("control", "place"), EACH)
def test_what_is_written_is_read(control: Control, place: str) -> None:
    stream = place if control.scope is Scope.STREAM else "1"
    before = control.read(CAMERA, place)
    wanted = OTHER[control.kind](control, before)
    if control.id == "enabled" and wanted:
        pytest.skip("on needs targets")
    after = apply_change(SETTINGS, "lobby", stream, control.key(place), wanted).cameras[0]
    assert control.read(after, place) == wanted
    assert dataclasses.is_dataclass(after)
    others = [(other.id, where) for other, where, value in controls.in_force(after)
              if (other, where) != (control, place) and value != other.read(CAMERA, where)]
    assert {id_ for id_, _ in others} <= ({"enabled", "guard"} if control.id in {"enabled", "guard"} else set())


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.id)
@pytest.mark.parametrize("bad", ["perhaps", "", None, [], {}, float("nan"), "1e999", 10**400, "\x00"])
def test_what_is_refused(control: Control, bad: object) -> None:
    with pytest.raises(vol.Invalid):
        control.checked(bad)


@pytest.mark.parametrize(("key", "before", "after", "weaker"), [
    ("guard", True, False, True), ("guard", False, True, False), ("enabled", True, False, True),
    ("sensitivity", "high", "medium", True), ("sensitivity", "low", "medium", False),
    ("blur_intensity", "middle", "low", True), ("blur_intensity", "middle", "high", False),
    ("masking_method", "filling", "blurring", False), ("camera_height", 3.0, 2.9, True),
    ("camera_height", 3.0, 3.1, False), ("area/1", False, True, True), ("area/1", True, False, False),
    ("always_mask_area/1", True, False, True), ("always_mask_area/1", False, True, False),
    ("circumferential_mosaic", True, False, True)])
def test_which_changes_weaken(key: str, before: controls.Value, after: controls.Value, weaker: bool) -> None:
    found = controls.find(key)
    assert found is not None
    assert found[0].weakens(before, after) is weaker
    assert not found[0].weakens(before, before)


def test_places_that_are_not_there() -> None:
    for control in CONTROLS:
        if control.scope is not Scope.CAMERA:
            with pytest.raises(KeyError):
                control.read(CAMERA, "77")


def test_the_schema_offers_only_what_the_code_takes() -> None:
    assert set(choices_of(MODELS, "providers")) <= set(onnx._PROVIDERS)
    shipped = {(entry.tier, entry.precision) for entry in manifest()}
    assert {tier for tier, _ in shipped} == set(choices_of(MODELS, "tier"))
    assert {precision for _, precision in shipped} == set(choices_of(MODELS, "precision"))


@pytest.mark.parametrize("finds", [True, False])
def test_options_of_the_command_line_come_from_the_table(finds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    width = Control("hold", Scope.CAMERA, "privacy_guard.hold_s", lambda camera, _: camera.privacy_guard.hold_s,
                    controls._set("privacy_guard.hold_s"), controls._lowered, validator_at("privacy_guard.hold_s"),
                    option="--hold", finds=finds)
    monkeypatch.setattr(controls, "CONTROLS", (*CONTROLS, width))
    for masks in (True, False):
        parser = argparse.ArgumentParser()
        add_camera_arguments(parser, masks=masks)
        wanted = ["--hold", "7", "--height", "4.2", "--sensitivity", "low"]
        if not masks and not finds:
            with pytest.raises(SystemExit):
                parser.parse_args(wanted)
            continue
        camera, _ = camera_from(parser.parse_args(wanted), (100, 100))
        assert (camera.privacy_guard.hold_s, camera.camera_height_m, camera.privacy_guard.sensitivity) == (
            7.0, 4.2, "low")
        with pytest.raises(UsageError, match="--hold: 90 is not in"):
            camera_from(parser.parse_args(["--hold", "90"]), (100, 100))
