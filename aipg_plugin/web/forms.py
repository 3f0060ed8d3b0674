"""Forms made from the schema: every setting, its page, its kind, range, choices and texts."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aipg_plugin.resources import SOURCE_LANGUAGE, resource_path
from aipg_plugin.settings.controls import CONTROLS
from aipg_plugin.settings.describe import Setting, describe

_EXTENSION = frozenset({"sensitivity", "blur_intensity", "circumferential_mosaic", "circumferential_width",
                        "camera_height"})
_AREAS = (".prohibited_areas", ".always_mask_areas")


def page_of(path: str) -> str:
    """The page a setting is on: by where it stands in the schema, so that a new one is on a page by itself."""
    if not path.startswith("cameras."):
        return "system"
    below = path.removeprefix("cameras.<camera>.")
    if any(part in path for part in _AREAS):
        return "areas"
    if below.rpartition(".")[2] in _EXTENSION:
        return "extension"
    return "guard" if below.startswith("privacy_guard.") else "cameras"


@cache
def languages() -> tuple[str, ...]:
    """Languages the pages speak, English first."""
    found = {path.stem for path in resource_path("translations", "pages").glob("*.json")}
    return (SOURCE_LANGUAGE, *sorted(found - {SOURCE_LANGUAGE}))


@cache
def strings(language: str) -> dict[str, str]:
    """The pages' texts, flat: English fills what a language lacks; unknown languages are English."""
    source = _read(SOURCE_LANGUAGE)
    return source if language not in languages() else {**source, **_read(language)}


def _read(language: str) -> dict[str, str]:
    path = resource_path("translations", "pages") / f"{language}.json"
    loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def forms(language: str) -> list[dict[str, Any]]:
    """One entry a setting, in the order of the schema."""
    texts = strings(language)
    live = {f"cameras.<camera>.{control.setting}" for control in CONTROLS}
    return [{**setting.as_dict(), "page": page_of(setting.path), "label": label(setting, texts),
             "live": setting.path in live} for setting in describe(language)]


def label(setting: Setting, texts: dict[str, str]) -> str:
    """A setting's short name: the pages' own text, else its key in words."""
    words = setting.key.removesuffix("_s").removesuffix("_deg").replace("_", " ")
    above = [part for part in setting.path.split(".") if not part.startswith("<")][-2:-1]
    own = texts.get(f"label.{above[0]}.{setting.key}") if above else None
    return own or texts.get(f"label.{setting.key}", words[:1].upper() + words[1:])
