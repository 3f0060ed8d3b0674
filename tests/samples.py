"""The sample clip and its truth."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from aipg_plugin.resources import resource_path

CLIP = resource_path("samples", "lobby.mp4")
TRUTH = resource_path("samples", "lobby.truth.json")


@cache
def truth() -> dict[str, Any]:
    """What stands in the clip, frame by frame."""
    document: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))
    return document
