"""Close-ups: a tile of its own around each candidate, in which a person always has the same place and size.

A sweep's tiles show people small, cut, or off their middle. What the net says of a tile made to a candidate's measure
is a second opinion on whether somebody is there, and tells better where they end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection import postprocess
from aipg_plugin.detection.flat import FlatTile
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.detection.postprocess import Found, Silhouette
from aipg_plugin.detection.preprocess import crop_tiles
from aipg_plugin.detection.tiles import Tile
from aipg_plugin.detection.upright import UprightTile, bearings, northing
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry.camera import FisheyeCamera
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

PERSON_PX = 116              # a candidate's longer side in its close-up
_STEEPEST = northing(-72.0)  # below it a fisheye picture is cut flat: the Mercator map has no end there
_BELOW_VIEW = 1.5            # there boxes say less of where somebody ends
_BATCH = 6
_SAME_IOU = 0.4              # of what the close-up shows with the candidate
_DOUBLE_IOU = 0.65
_INSIDE_SHARE = 0.8
_CUT_VIEW = np.array([1, 1, 1.7, 1.7, 1])  # a box that a border cut may be half of somebody
_LARGEST_WHOLE = 3.0         # of somebody over the part of them that was seen
_OTHER_SCORE = 0.03          # of somebody else in a close-up
_FOUND_IOU = 0.3             # of somebody expected with somebody found
_LEAST_OPINION = 0.05        # a close-up that shows nobody is no proof
_LEAST_SCORE = 0.12          # less is not looked at again
_DOUBT = 0.2                 # the score that says least
_UNSEEN_SCORE = 0.01         # of a candidate whom the close-up does not show


def closeup_tile(projection: Projection, mount: Mount, box: Float64, input_px: int) -> Tile:
    """The tile around a gravity-aligned box (5,), in which it is upright and 116 pixels high (or wide), 77 pixels
    straight below a fisheye camera.
    """
    zoom = input_px / PERSON_PX
    if isinstance(projection, FisheyeCamera):
        cross = np.asarray(box_math.to_pixels(box, np.array([[0, 0], [0, -1], [0, 1], [-1, 0], [1, 0]])), np.float64)
        east, north = bearings(projection, mount, cross)
        if np.isfinite(east[[0, 3, 4]]).all() and np.isfinite(north).all() and north.min() > _STEEPEST:
            wide = abs((east[4] - east[3] + math.pi) % (2 * math.pi) - math.pi)
            high = abs(float(north[1] - north[2]))
            middle = float(north[1] + north[2]) / 2
            return UprightTile(projection, mount, math.degrees(east[0]), middle, zoom * max(wide, high), input_px)
        zoom *= _BELOW_VIEW
    side = zoom * float(box[2:4].max())
    return FlatTile((float(box[0]), float(box[1])), (side, side), float(box[4]), input_px)


def _logit(score: NDArray[np.floating]) -> Float64:
    clipped = np.clip(np.asarray(score, np.float64), _LEAST_OPINION, 0.99)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


@dataclass(frozen=True)
class CloseUps:
    """Looks again at candidates in one projection's pictures.

    `align` makes boxes (N, 4) gravity-aligned (N, 5). A picture `wrap_px` wide whose borders meet (0: they don't) is
    to be handed over with `seam_px` more beyond the right one, for close-ups, `input_px` wide, that reach there.
    `cut_only`: no second opinions, for a net that may not be made for it; only the boxes that a tile's border had cut
    are completed.
    """

    net: PersonNet
    projection: Projection
    mount: Mount
    align: Callable[[Float64], Float64]
    input_px: int
    wrap_px: float = 0.0
    seam_px: float = 0.0
    cut_only: bool = False

    def improve(self, picture_bgr: NDArray[np.uint8], found: Found, most: int) -> Found:
        """What was found, with a second opinion on the `most` candidates that it matters for; the rest as it was.

        Scores become the mean with the close-up's (of logits), boxes and silhouettes the mean where it sees the same
        person; a box that a tile's border had cut is completed. Two that turn out to be one person are one: those with
        one box, and one inside another where the close-up of the larger shows nobody else.
        """
        sureness = np.where(found.cut, -1.0, np.abs(_logit(found.scores) - _logit(np.array(_DOUBT))))
        chosen = np.argsort(sureness, kind="stable")
        chosen = chosen[(found.scores[chosen] >= _LEAST_SCORE) & (found.cut[chosen] | (not self.cut_only))][:most]
        boxes, silhouettes = self._off_the_left(found.boxes, found.cut), list(found.silhouettes)
        scores, heads, others = found.scores.copy(), found.heads.copy(), dict[int, Float64]()
        for k, seen in zip(chosen.tolist(), self._look(picture_bgr, boxes[chosen], found.cut[chosen]), strict=True):
            if not self.cut_only:
                others[k] = seen.others
            scores[k] = max(scores[k], seen.score) if self.cut_only else _mean_score(scores[k], seen.score)
            silhouettes[k] += seen.silhouettes
            if found.cut[k] and box_math.share_inside(boxes[k][None], seen.box[None])[0, 0] > _INSIDE_SHARE:
                boxes[k, :4] = seen.box[:4]
                heads[k] = np.where(np.isfinite(seen.head), seen.head, heads[k])
            elif not self.cut_only:
                boxes[k, :4] = (boxes[k, :4] + seen.box[:4]) / 2
        aligned = self.align(boxes[:, :4])
        heads = postprocess.beside(heads, aligned[:, :1], self.wrap_px)
        better = Found(aligned, scores, heads, tuple(silhouettes), found.cut)
        return _without_doubles(better, others, self.wrap_px)

    def follow(self, picture_bgr: NDArray[np.uint8], expected: Float64, found: Found) -> Found:
        """`found`, and those whom a close-up shows where a box (N, 5) of `expected` is and nobody was found."""
        missing = [self._overlap(box, found.boxes) < _FOUND_IOU for box in expected]
        uncut = np.zeros(sum(missing), bool)
        for one in self._look(picture_bgr, self._off_the_left(expected[missing], uncut), uncut):
            box = self.align(one.box[None, :4])
            if one.score > _UNSEEN_SCORE and self._overlap(box[0], found.boxes) < _DOUBLE_IOU:
                head = postprocess.beside(one.head[None], box[:, :1], self.wrap_px)
                found = Found(np.concatenate([found.boxes, box]), np.append(found.scores, one.score),
                              np.concatenate([found.heads, head]), (*found.silhouettes, one.silhouettes),
                              np.append(found.cut, False), found.parts)
        return found

    def _overlap(self, box: Float64, others: Float64) -> float:
        """Largest IoU of a box (5,) with others (N, 5), on whichever side of the seam."""
        there = postprocess.beside(others, box[0], self.wrap_px)
        return float(np.asarray(box_math.iou(box[None], there)).max(initial=0.0))

    def _off_the_left(self, boxes: Float64, cut: NDArray[np.bool_]) -> Float64:
        """The boxes, those whose close-ups would reach over the left border a turn further."""
        boxes = boxes.copy()
        if self.wrap_px:
            reach_px = self.input_px / PERSON_PX / 2 * boxes[:, 2:4].max(1) * np.where(cut, _CUT_VIEW[2], 1)
            boxes[boxes[:, 0] < np.minimum(reach_px, self.seam_px / 2), 0] += self.wrap_px
        return boxes

    def _look(self, picture_bgr: NDArray[np.uint8], boxes: Float64, cut: NDArray[np.bool_]) -> list[_Seen]:
        """What the close-ups of boxes (N, 5) show of each."""
        result: list[_Seen] = []
        for start in range(0, len(boxes), _BATCH):
            batch = range(start, min(start + _BATCH, len(boxes)))
            tiles = [closeup_tile(self.projection, self.mount, boxes[k] * (_CUT_VIEW if cut[k] else 1), self.input_px)
                     for k in batch]
            raw, maps = self.net.run(crop_tiles(picture_bgr, tiles))
            for row, (k, tile) in enumerate(zip(batch, tiles, strict=True)):
                silhouette = None if maps is None else Silhouette(tile, maps[row, 0], self.wrap_px)
                result.append(self._seen(raw[row], silhouette, tile, boxes[k], bool(cut[k])))
        return result

    def _seen(self, raw: Float32, silhouette: Silhouette | None, tile: Tile, box: Float64, cut: bool) -> _Seen:
        """Who in a close-up is the candidate with this box."""
        shown = self.net.decode(raw, (tile.input_px, tile.input_px), _UNSEEN_SCORE)
        placed = postprocess.place(shown, tile, 0, self.align)
        placed = replace(placed, boxes=postprocess.beside(placed.boxes, box[0], self.wrap_px))
        other = placed.scores >= _OTHER_SCORE
        same = np.asarray(box_math.iou(box[None], placed.boxes))[0] > _SAME_IOU
        if cut:
            same |= box_math.share_inside(box[None], placed.boxes)[0] > _INSIDE_SHARE
        if self.cut_only:  # of a net that knows figures of one size alone, the view would make giants
            same &= (placed.boxes[:, 2:4] < _LARGEST_WHOLE * box[2:4].max()).all(1)
        if not same.any():
            return _Seen(box, _UNSEEN_SCORE, np.full(3, np.nan), (), placed.boxes[other])
        best = int(np.where(same, placed.scores, -1).argmax())
        other[best] = False
        score = float(placed.scores[best])
        if silhouette is not None:
            score = postprocess.supported(score, silhouette.around(placed.boxes[best]))
        return _Seen(placed.boxes[best], max(score, _UNSEEN_SCORE), placed.heads[best],
                     () if silhouette is None else (silhouette,), placed.boxes[other])


@dataclass(frozen=True)
class _Seen:
    """A candidate as its close-up shows it; `others` are the boxes (N, 5) of everybody else there."""

    box: Float64
    score: float
    head: Float64
    silhouettes: tuple[Silhouette, ...]
    others: Float64


def _mean_score(first: float, second: float) -> float:
    mean = float(_logit(np.array([first, second])).mean())
    return 1 / (1 + math.exp(-mean))


def _without_doubles(found: Found, others: dict[int, Float64], wrap_px: float) -> Found:
    """Everybody once, their parts theirs; `others` are those whom the close-up of somebody shows besides them."""
    overlap, inside = postprocess.overlaps(found.boxes, wrap_px)
    kept: list[int] = []

    def double(k: int, better: int) -> bool:
        if overlap[k, better] > _DOUBLE_IOU:
            return True
        if inside[k, better] < _INSIDE_SHARE or better not in others:
            return False
        theirs = postprocess.beside(others[better], found.boxes[k, 0], wrap_px)
        return bool((np.asarray(box_math.iou(found.boxes[k][None], theirs)) <= _SAME_IOU).all())

    parts: dict[int, list[int]] = {}
    for k in np.argsort(-found.scores, kind="stable").tolist():
        owner = next((better for better in kept if double(k, better)), None)
        if owner is None:
            kept.append(k)
        else:
            parts.setdefault(owner, []).append(k)
    return Found(found.boxes[kept], found.scores[kept], found.heads[kept], tuple(found.silhouettes[k] for k in kept),
                 found.cut[kept], {row: postprocess.beside(found.boxes[parts[k]], found.boxes[k, 0], wrap_px)
                                   for row, k in enumerate(kept) if k in parts})
