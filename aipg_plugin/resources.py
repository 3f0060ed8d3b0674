"""Files that ship with the package: models, translations, the sample clip."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

_CHECKOUT = Path(__file__).resolve().parent.parent


def resource_path(folder: str, name: str = "") -> Path:
    """Path of `folder/name` in the installed package, else in the checkout (editable installs).

    The path is returned even when nothing is there, so that the caller's error can name it.
    """
    installed = Path(str(files("aipg_plugin"))) / folder
    root = installed if installed.is_dir() else _CHECKOUT / folder
    return root / name if name else root


@cache
def translations(language: str) -> dict[str, Any]:
    """The tree of texts of a language; English fills what a translation lacks. Unknown languages are English."""
    path = resource_path("translations", f"{language}.json")
    if not path.is_file():
        path = resource_path("translations", "en.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded
