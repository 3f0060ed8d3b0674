"""Files that ship with the package: models, translations, the sample clip."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

Translate = Callable[[str], str]

SOURCE_LANGUAGE = "en"
_CHECKOUT = Path(__file__).resolve().parent.parent


def resource_path(folder: str, name: str = "") -> Path:
    """Path of `folder/name` in the installed package, else in the checkout (editable installs).

    The path is returned even when nothing is there, so that the caller's error can name it.
    """
    installed = Path(str(files("aipg_plugin"))) / folder
    root = installed if installed.is_dir() else _CHECKOUT / folder
    return root / name if name else root


@cache
def languages() -> tuple[str, ...]:
    """Languages there are texts in, sorted."""
    found = {path.stem for path in resource_path("translations").glob("*.json")}
    return tuple(sorted(found | {SOURCE_LANGUAGE}))


@cache
def translations(language: str) -> dict[str, Any]:
    """The tree of texts of a language; English fills what a translation lacks. Unknown languages are English."""
    source = _read(SOURCE_LANGUAGE)
    if language == SOURCE_LANGUAGE or language not in languages():
        return source
    return _filled(_read(language), source)


def text(key: str, language: str = SOURCE_LANGUAGE) -> str:
    """The text under a dotted key (`settings.lens.fov_deg`); the key itself when there is none."""
    found: Any = translations(language)
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, str) else key


def translator(language: str) -> Translate:
    """A function that translates error templates (`error.text(translator("de"))`); unknown ones stay English.

    A translation must keep the template's placeholders; one that doesn't is not used.
    """
    errors = translations(language).get("errors", {})

    def translate(template: str) -> str:
        translated = errors.get(template)
        usable = isinstance(translated, str) and _placeholders(translated) == _placeholders(template)
        return str(translated) if usable else template

    return translate


def _placeholders(template: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", template))


def _read(language: str) -> dict[str, Any]:
    path = resource_path("translations", f"{language}.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def _filled(tree: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    filled = dict(source)
    for key, value in tree.items():
        below = source.get(key)
        filled[key] = _filled(value, below) if isinstance(value, dict) and isinstance(below, dict) else value
    return filled
