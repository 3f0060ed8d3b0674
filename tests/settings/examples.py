"""Small settings for tests, as dicts."""

from __future__ import annotations

import copy
from typing import Any

LOBBY: dict[str, Any] = {
    "cameras": {
        "lobby": {
            "lens": {"model": "equidistant", "fov_deg": 180, "circle": "auto"},
            "mount": "ceiling",
            "camera_height": 3.0,
            "streams": {
                "1": {"source": "rtsp://user:pass@192.0.2.10/1", "outputs": [{"kind": "http"}]},
                "2": {"source": {"url": "rtsp://192.0.2.10/2"}, "capture_mode": "double_panorama"},
            },
            "privacy_guard": {
                "enabled": True,
                "target_streams": ["1"],
                "prohibited_areas": [{"rectangle": [0.1, 0.1, 0.2, 0.2], "status": "on"},
                                     {"points": [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6]]}],
                "always_mask_areas": [{"rectangle": [0.8, 0.8, 0.9, 0.9]}],
            },
        },
    },
}


def changed(path: str, value: Any, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of the lobby (or `base`) with the value at a dotted path replaced; tables on the way are made."""
    data = copy.deepcopy(LOBBY if base is None else base)
    node: Any = data
    *above, last = path.split(".")
    for key in above:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    node[int(last) if isinstance(node, list) else last] = value
    return data
