"""What is masked of somebody: the silhouette, and wherever their head may be."""

from __future__ import annotations

import cv2
import numpy as np

from aipg_plugin.detection import postprocess
from aipg_plugin.geometry import boxes as box_math

BOX = np.array([100.0, 100.0, 40.0, 90.0, 20.0])
UNSEEN = np.full(3, np.nan)
HEAD = np.array([*box_math.to_pixels(BOX, np.array([[0.0, -0.75]]))[0], 8.0])


def covers(outline: np.ndarray, *local: tuple[float, float]) -> list[bool]:
    contour = (outline * 1000).astype(np.float32)
    return [cv2.pointPolygonTest(contour, (1000 * x, 1000 * y), False) >= 0 for x, y in local]


def body(half_width: float = 0.5) -> np.ndarray:
    """(64, 64) uint8: a silhouette in the middle of its box."""
    canvas = np.zeros((64, 64), np.uint8)
    reach = round(half_width / 1.2 * 32)
    canvas[8:56, 32 - reach:32 + reach] = 255
    return canvas


def test_where_no_head_was_seen_it_may_be_anywhere_in_the_upper_part() -> None:
    corners = (-0.9, -0.8), (0.9, -0.8), (0.9, 0.1)
    assert all(covers(postprocess.outline(BOX, UNSEEN, body()), *corners))
    assert not any(covers(postprocess.outline(BOX, HEAD, body()), *corners))
    assert not any(covers(postprocess.outline(BOX, UNSEEN, body()), (-0.9, 0.8), (0.9, 0.8)))


def test_a_head_too_large_to_be_one_was_not_seen() -> None:
    giant = np.array([*HEAD[:2], 40.0])
    assert all(covers(postprocess.outline(BOX, giant, body()), (-0.9, -0.8), (0.9, -0.8)))


def test_a_limb_that_the_net_is_unsure_of_is_masked_and_what_is_hardly_anybody_is_not() -> None:
    around = body(0.3)
    around[34:44, 41:60] = round(0.2 * 255)  # an arm stretched out to one side …
    around[34:44, 4:23] = round(0.05 * 255)  # … and haze on the other
    outline = postprocess.outline(BOX, HEAD, around)
    assert all(covers(outline, (0.5, 0.24), (0.9, 0.24)))
    assert not any(covers(outline, (-0.6, 0.24), (-0.9, 0.24)))


def test_what_the_net_is_sure_of_is_followed_without_a_rim() -> None:
    outline = postprocess.outline(BOX, HEAD, body(0.5))
    assert all(covers(outline, (0.44, 0.3), (-0.44, 0.3)))
    assert not any(covers(outline, (0.56, 0.3), (-0.56, 0.3)))


def test_hair_round_a_head_is_masked() -> None:
    edges = [HEAD[:2] + 1.2 * HEAD[2] * np.array([np.cos(angle), np.sin(angle)]) for angle in np.linspace(0, 6, 12)]
    local = np.asarray(box_math.to_local(BOX, np.array(edges)))
    assert all(covers(postprocess.outline(BOX, HEAD, body(0.2)), *(tuple(point) for point in local)))
