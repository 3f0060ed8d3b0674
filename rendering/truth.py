"""Exact truth of a rendered picture: visible and full boxes, heads, visible share, all in picture pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.gravity import up_angle_deg
from aipg_plugin.geometry.mount import Mount

Floats = NDArray[np.float64]
MIN_VISIBLE, MIN_SIDE_PX = 0.12, 12.0


@dataclass(frozen=True)
class Truth:
    """Struct of arrays over the M people of whom at least a pixel shows."""

    ids: NDArray[np.int32]
    boxes: Floats
    full_boxes: Floats
    heads: Floats
    visible: Floats
    ignore: NDArray[np.bool_]


def gravity_box(mask: NDArray[np.uint8], camera: FisheyeCamera, mount: Mount, origin: tuple[int, int] = (0, 0),
                scale: float = 1.0) -> Floats:
    """(5,) smallest gravity-aligned box around the set pixels of `mask`.

    `origin`: where the mask's corner lies; `scale`: picture pixels per mask pixel.
    """
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    pixels = np.concatenate([c.reshape(-1, 2) for c in contours]).astype(float)
    hull = cv2.convexHull((pixels).astype(np.int32)).reshape(-1, 2) + np.array(origin) + 0.5
    corners = (hull[:, None] + np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])).reshape(-1, 2) * scale
    return enclose(corners, camera, mount)


def enclose(points: Floats, camera: FisheyeCamera, mount: Mount) -> Floats:
    """(5,) smallest box around points (N, 2) whose angle is that of "up" at its own centre, by fixed point."""
    centre = (points.min(0) + points.max(0)) / 2
    box = np.zeros(5)
    for _ in range(12):
        angle = float(up_angle_deg(camera, mount, centre[None])[0])
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        local = points @ np.array([[c, -s], [s, c]])
        low, high = local.min(0), local.max(0)
        middle = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
        box = np.array([*middle, *(high - low), angle])
        if np.hypot(*(middle - centre)) < 0.05:
            break
        centre = 0.25 * centre + 0.75 * middle
    return box


def head_circle(head: NDArray[np.float32], camera: FisheyeCamera, mount: Mount) -> Floats:
    """(3,) x, y, r in pixels of a head sphere (4,); NaN outside the lens's field."""
    centre = head[:3].astype(float)
    to = centre - [0, 0, mount.height_m]
    distance = float(np.linalg.norm(to))
    side = np.cross(to, [0.0, 0.0, 1.0])
    side = side / np.linalg.norm(side) if np.linalg.norm(side) > 1e-6 else np.array([1.0, 0, 0])
    other = np.cross(to / distance, side)
    spots = centre + head[3] * np.array([[0, 0, 0], side, -side, other, -other])
    px = camera.ray_to_pixel(mount.rays_to(spots))
    if not np.isfinite(px[0]).all():
        return np.full(3, np.nan)
    radius = np.nanmean(np.hypot(*(px[1:] - px[0]).T))
    return np.array([*px[0], radius])


def head_shows(circle: Floats, ids: NDArray[np.uint8], person: int, share: float = 0.3) -> bool:
    """Whether enough of the head circle's pixels belong to its person."""
    if not np.isfinite(circle).all():
        return False
    x, y, r = circle
    h, w = ids.shape
    x0, x1, y0, y1 = (int(v) for v in (max(0, x - r), min(w, x + r + 1), max(0, y - r), min(h, y + r + 1)))
    if x1 <= x0 or y1 <= y0:
        return False
    yy, xx = np.mgrid[y0:y1, x0:x1]
    disc = (xx + 0.5 - x) ** 2 + (yy + 0.5 - y) ** 2 <= r * r
    own = (ids[y0:y1, x0:x1] == person) & disc
    return bool(own.sum() >= share * max(np.pi * r * r, 1.0))


def assemble(ids: NDArray[np.uint8], full: dict[int, tuple[Floats, float]],
             heads: dict[int, NDArray[np.float32]], camera: FisheyeCamera, mount: Mount) -> Truth:
    """Truth from the id picture, the full boxes with their areas in px², and the head spheres, by id."""
    rows: list[tuple[int, Floats, Floats, Floats, float, bool]] = []
    areas = np.bincount(ids.reshape(-1), minlength=256)
    for person, (full_box, full_area) in full.items():
        if areas[person] == 0:
            continue
        mask = (ids == person).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(mask)
        box = gravity_box(mask[y:y + h, x:x + w], camera, mount, (x, y))
        visible = float(min(1.0, areas[person] / max(full_area, 1.0)))
        circle = head_circle(heads[person], camera, mount)
        if not head_shows(circle, ids, person):
            circle = np.full(3, np.nan)
        rows.append((person, box, full_box, circle, visible,
                     visible < MIN_VISIBLE or max(box[2], box[3]) < MIN_SIDE_PX))
    if not rows:
        return Truth(np.zeros(0, np.int32), np.zeros((0, 5)), np.zeros((0, 5)), np.zeros((0, 3)), np.zeros(0),
                     np.zeros(0, bool))
    number, boxes, full_boxes, circles, shares, ignore = zip(*rows, strict=True)
    return Truth(np.array(number, np.int32), np.stack(boxes), np.stack(full_boxes), np.stack(circles),
                 np.array(shares), np.array(ignore))
