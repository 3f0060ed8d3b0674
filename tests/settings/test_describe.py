"""The reference is made from the schema, complete, and in every language."""

import json
import re
from pathlib import Path

import pytest

from aipg_plugin import errors
from aipg_plugin.errors import SettingsError
from aipg_plugin.resources import languages, resource_path, text, translations, translator
from aipg_plugin.settings import to_dict, validate
from aipg_plugin.settings.describe import describe, reference_markdown
from aipg_plugin.settings.loader import load
from tests.needs import CHECKOUT
from tests.settings.examples import LOBBY, changed
from tests.settings.templates import templates


def test_the_page_in_docs_is_the_reference() -> None:
    page = (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == reference_markdown(), "run: python -m aipg_plugin settings > docs/settings.md"


def leaves(tree: object, path: str = "") -> set[str]:
    if isinstance(tree, dict) and tree:
        return {leaf for key, below in tree.items() for leaf in leaves(below, f"{path}.{key}" if path else str(key))}
    return {path}


def test_every_setting_is_described() -> None:
    full = changed("cameras.lobby.streams.1.views", [{}], LOBBY)
    full = changed("cameras.lobby.streams.1.capture_mode", "quad_ptz", full)
    full["cameras"]["lobby"]["streams"]["1"]["views"] *= 4
    full = changed("models.custom", {"file": "m.onnx"}, full)
    known = {setting.path.replace("<camera>", "lobby").replace("<stream>", "1") for setting in describe()}
    written = {re.sub(r"streams\.[12]", "streams.1", path) for path in leaves(to_dict(validate(full)))}
    assert {path for path in written if path not in known} == set()


def test_settings_say_what_they_take() -> None:
    by_path = {setting.path: setting for setting in describe()}
    height = by_path["cameras.<camera>.camera_height"]
    assert (height.low, height.high, height.step, height.unit, height.default) == (2.5, 5.0, 0.1, "m", "3")
    method = by_path["cameras.<camera>.privacy_guard.masking_method"]
    assert (method.choices, method.default) == (("blurring", "filling", "background"), "blurring")
    assert by_path["cameras.<camera>.privacy_guard.target_streams"].default == "off"
    assert by_path["cameras.<camera>.streams.<stream>.source.url"].required
    assert by_path["mqtt.password"].secret
    assert json.dumps([setting.as_dict() for setting in by_path.values()])


@pytest.mark.parametrize("language", languages())
def test_every_setting_has_a_text(language: str) -> None:
    own = json.loads(resource_path("translations", f"{language}.json").read_text(encoding="utf-8"))
    for setting in describe(language):
        assert setting.text
        assert not setting.text.startswith("settings."), setting.path
    written = {key for table in own["settings"].values() for key in table}
    assert written >= {s.key for s in describe()}


@pytest.mark.parametrize("language", languages())
def test_every_error_of_the_settings_is_translated(language: str) -> None:
    own = json.loads(resource_path("translations", f"{language}.json").read_text(encoding="utf-8"))["errors"]
    assert templates(Path(errors.__file__).parent / "settings") - set(own) == set()
    for template, translated in own.items():
        assert set(re.findall(r"\{(\w+)\}", template)) == set(re.findall(r"\{(\w+)\}", translated)), template


def keys(tree: object, path: str = "") -> set[str]:
    return leaves(tree, path)


@pytest.mark.parametrize("language", languages())
def test_languages_have_the_same_texts(language: str) -> None:
    own, source = (json.loads(resource_path("translations", f"{each}.json").read_text(encoding="utf-8"))
                   for each in (language, "en"))
    assert keys(own) == keys(source)


def test_german_errors() -> None:
    with pytest.raises(SettingsError) as caught:
        validate(changed("cameras.lobby.lens.fov_deg", 400))
    assert caught.value.text(translator("de")) == (
        "cameras.lobby.lens.fov_deg: 400 liegt nicht in 90–220. Eine Zahl in 90–220° wählen")
    assert caught.value.text(translator("tlh")) == str(caught.value)


@pytest.mark.parametrize("language", sorted({*languages()} - {"en"}))
def test_no_english_is_left_among_choices_and_lines(language: str, tmp_path: Path) -> None:
    file = tmp_path / "guard.yaml"
    file.write_text("cameras:\n  lobby:\n    mount: floor\n    lens:\n      circle: [0.5, 0.5]\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load(file)
    told = caught.value.text(translator(language))
    assert "ceiling, wall" in told
    assert "3–3" not in told
    assert not {"or", "line", "one"} & set(re.findall(r"\w+", told)), told


def test_unknown_languages_and_keys() -> None:
    assert translations("../../etc/passwd") == translations("en")
    assert text("settings.lens.fov_deg", "de").startswith("Bildwinkel")
    assert text("settings.lens.nothing") == "settings.lens.nothing"
