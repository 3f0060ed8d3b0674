"""What close-ups change in what a sweep found: a protocol, and one class for each kind of net."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.detection import postprocess
from aipg_plugin.detection.closeup import INSIDE_SHARE, SAME_IOU, CloseUpResult, CloseUps
from aipg_plugin.detection.postprocess import MergedPeople
from aipg_plugin.geometry import boxes as box_math
from aipg_plugin.geometry import seam
from aipg_plugin.geometry.arrays import Float64, Ints, UInt8
from aipg_plugin.thresholds import LOWEST_OPINION, RECHECK_SCORE, SURE_SCORE, UNDECIDED_SCORE, UNSEEN_SCORE

# Chosen with `benchmarks.accuracy` on real_dev.
_SAME_PERSON_IOU = 0.65      # of two boxes that turn out to be one person
_LARGEST_WHOLE = 3.0         # of a whole person over the part of them that a tile showed
_FOUND_IOU = 0.3             # of somebody expected with somebody found
# Chosen on 53 rendered pictures (training/log/2026-11-28.md).
_LYING_SHAPE = 1.4           # width over height: from here on somebody may lie
_UPRIGHT_HEAD = (0.6, -0.45)  # of the half box (x, y): heads nearer to its middle and lower are no upright person's
_TURNED_BELOW = 0.6          # from this score on nobody needs a turned look
_HEAD_LIKELY = 0.5           # of the score: a turned look that says so much is believed where it sees a head


class Refiner(Protocol):
    """Improves what a sweep found, picture by picture."""

    @property
    def follows(self) -> bool:
        """Whether `follow` looks for anybody."""

    def improve(self, picture_bgr: UInt8, found: MergedPeople, most: int) -> MergedPeople:
        """What was found, after at most `most` close-ups; the rest as it was."""

    def follow(self, picture_bgr: UInt8, expected: Float64, found: MergedPeople) -> MergedPeople:
        """`found`, and those whom a close-up shows where a box (N, 5) of `expected` is and nobody was found."""


@dataclass(frozen=True)
class SecondOpinions:
    """For a net that was trained on people of any size, and may so be asked twice about the same person.

    Scores become the mean with the close-up's (of logits), boxes and silhouettes the mean where it shows the same
    person; a truncated box is completed. Nobody is asked about whole candidates that are sure. Doubtful ones whose box
    is much wider than high, or whose head is not where an upright person's is, are looked at once more, turned as if
    they lay or bent over, since the net knows people upright; the head that is seen there is masked too, and who lies
    may become surer. Two that turn out to be one person are one: those with one box, and one inside another where the
    close-up of the larger shows nobody else.
    """

    close_ups: CloseUps
    follows = True

    def improve(self, picture_bgr: UInt8, found: MergedPeople, most: int) -> MergedPeople:
        """What was found, with a second opinion on the `most` candidates that it matters for."""
        sureness = np.where(found.truncated, -1.0, np.abs(_logit(found.scores) - _logit(np.array(UNDECIDED_SCORE))))
        chosen = np.argsort(sureness, kind="stable")
        wanted = (found.scores >= RECHECK_SCORE) & (found.truncated | (found.scores < SURE_SCORE))
        chosen = chosen[wanted[chosen]][:most]
        change = _Change(found, self.close_ups)
        for k, seen in change.looked_at(picture_bgr, chosen):
            change.others[k] = seen.others
            change.scores[k] = _mean_score(change.scores[k], seen.score)
            if not change.completed(k, seen):
                change.boxes[k, :4] = (change.boxes[k, :4] + seen.box[:4]) / 2
        change.look_turned(picture_bgr, chosen, most - len(chosen))
        return change.applied()

    def follow(self, picture_bgr: UInt8, expected: Float64, found: MergedPeople) -> MergedPeople:
        """`found`, and those whom a close-up shows where a box (N, 5) of `expected` is and nobody was found."""
        looks, wrap_px = self.close_ups, self.close_ups.wrap_px
        missing = [_largest_iou(box, found.boxes, wrap_px) < _FOUND_IOU for box in expected]
        whole = np.zeros(sum(missing), bool)
        for one in looks.look(picture_bgr, looks.inside_extended(expected[missing], whole), whole):
            box = looks.align(one.box[None, :4])
            if one.score > UNSEEN_SCORE and _largest_iou(box[0], found.boxes, wrap_px) < _SAME_PERSON_IOU:
                head = seam.unwrap_near(one.head[None], box[:, :1], wrap_px)
                found = MergedPeople(np.concatenate([found.boxes, box]), np.append(found.scores, one.score),
                                     np.concatenate([found.heads, head]), (*found.silhouettes, one.silhouettes),
                                     np.append(found.truncated, False), found.parts, found.more_heads)
        return found


@dataclass(frozen=True)
class BoxCompletion:
    """For a net that knows people of one size alone: only truncated boxes are completed, and nobody is followed.

    Its close-ups can't lower a score, and a person there much larger than the part that the tile showed is taken for a
    mistake: the enlarged view would make giants.
    """

    close_ups: CloseUps
    follows = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "close_ups", replace(self.close_ups, largest=_LARGEST_WHOLE))

    def improve(self, picture_bgr: UInt8, found: MergedPeople, most: int) -> MergedPeople:
        """What was found, the first `most` truncated boxes completed."""
        chosen = np.flatnonzero(found.truncated & (found.scores >= RECHECK_SCORE))[:most]
        change = _Change(found, self.close_ups)
        for k, seen in change.looked_at(picture_bgr, chosen):
            change.scores[k] = max(change.scores[k], seen.score)
            change.completed(k, seen)
        return change.applied()

    def follow(self, picture_bgr: UInt8, expected: Float64,  # noqa: ARG002 - the protocol's
               found: MergedPeople) -> MergedPeople:
        """`found`: such a net is not asked about single places."""
        return found


class _Change:
    """What close-ups have changed so far of `found`; `others` are, by index, those seen besides somebody."""

    def __init__(self, found: MergedPeople, close_ups: CloseUps) -> None:
        self._found, self._close_ups = found, close_ups
        self.boxes = close_ups.inside_extended(found.boxes, found.truncated)
        self.scores, self.heads = found.scores.copy(), found.heads.copy()
        self.others: dict[int, Float64] = {}
        self.more_heads: dict[int, Float64] = {}
        self._silhouettes = list(found.silhouettes)

    def looked_at(self, picture_bgr: UInt8, chosen: Ints) -> list[tuple[int, CloseUpResult]]:
        """Close-ups of the people with these indices, their silhouettes taken in."""
        results = self._close_ups.look(picture_bgr, self.boxes[chosen], self._found.truncated[chosen])
        for k, result in zip(chosen.tolist(), results, strict=True):
            self._silhouettes[k] += result.silhouettes
        return list(zip(chosen.tolist(), results, strict=True))

    def look_turned(self, picture_bgr: UInt8, chosen: Ints, most: int) -> None:
        """At most `most` close-ups of those with these indices in which they are upright if they lie or bend over.

        Takes the head that is seen, and of who lies score and silhouette, where the score is higher; of who bends over
        it tells nothing.
        """
        looks = [(k, turn) for k in chosen[self.scores[chosen] < _TURNED_BELOW].tolist()
                 for turn in _turns_deg(self.boxes[k], self.heads[k], self.scores[k])][:most]
        who = np.array([k for k, _ in looks], np.intp)
        results = self._close_ups.look(picture_bgr, self.boxes[who], np.zeros(len(who), bool),
                                       np.array([turn for _, turn in looks]))
        best: dict[int, CloseUpResult] = {}
        for k, seen in zip(who.tolist(), results, strict=True):
            if k not in best or seen.score > best[k].score:
                best[k] = seen
        for k, seen in best.items():
            before = self.scores[k]
            if seen.score > before and _wide(self.boxes[k]):
                self.scores[k] = _mean_score(before, seen.score)
                self._silhouettes[k] += seen.silhouettes
            if seen.score >= _HEAD_LIKELY * before and np.isfinite(seen.head).all():
                self.more_heads[k] = seen.head[None]

    def completed(self, k: int, seen: CloseUpResult) -> bool:
        """Take the close-up's box and head for a truncated one that lies inside; whether it did."""
        if not self._found.truncated[k] or \
                box_math.share_inside(self.boxes[k][None], seen.box[None])[0, 0] <= INSIDE_SHARE:
            return False
        self.boxes[k, :4] = seen.box[:4]
        self.heads[k] = np.where(np.isfinite(seen.head), seen.head, self.heads[k])
        return True

    def applied(self) -> MergedPeople:
        """Everybody once."""
        wrap_px = self._close_ups.wrap_px
        aligned = self._close_ups.align(self.boxes[:, :4])
        heads = seam.unwrap_near(self.heads, aligned[:, :1], wrap_px)
        more = {k: seam.unwrap_near(more, aligned[k, 0], wrap_px) for k, more in self.more_heads.items()}
        people = MergedPeople(aligned, self.scores, heads, tuple(self._silhouettes), self._found.truncated,
                              more_heads=more)
        return _without_doubles(people, self.others, wrap_px)


def _logit(score: NDArray[np.floating]) -> Float64:
    clipped = np.clip(np.asarray(score, np.float64), LOWEST_OPINION, 0.99)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _wide(box: Float64) -> bool:
    """Whether somebody in a box (5,) may lie."""
    return bool(box[2] >= _LYING_SHAPE * box[3])


def _turns_deg(box: Float64, head: Float64, score: float) -> tuple[float, ...]:
    """How far clockwise to turn close-ups in which somebody in a box (5,) is upright if they lie or bend over; none for
    those who seem upright.
    """
    seen = bool(np.isfinite(head).all())
    x, y = np.asarray(box_math.to_local(box, head[None, :2]))[0] if seen else (0.0, 0.0)
    if _wide(box):
        return (90.0 if x > 0 else -90.0,) if seen else (90.0, -90.0)
    bent = abs(x) < _UPRIGHT_HEAD[0] and y > _UPRIGHT_HEAD[1]
    return (45.0, -45.0) if bent and score >= UNDECIDED_SCORE else ()


def _mean_score(first: float, second: float) -> float:
    mean = float(_logit(np.array([first, second])).mean())
    return 1 / (1 + math.exp(-mean))


def _largest_iou(box: Float64, others: Float64, wrap_px: float) -> float:
    """Largest IoU of a box (5,) with others (N, 5), on whichever side of the seam."""
    there = seam.unwrap_near(others, box[0], wrap_px)
    return float(np.asarray(box_math.iou(box[None], there)).max(initial=0.0))


def _without_doubles(found: MergedPeople, others: dict[int, Float64], wrap_px: float) -> MergedPeople:
    """Everybody once, their parts theirs; `others` are those whom the close-up of somebody shows besides them."""
    overlap, inside = postprocess.overlaps(found.boxes, wrap_px)
    kept: list[int] = []

    def double(k: int, better: int) -> bool:
        if overlap[k, better] > _SAME_PERSON_IOU:
            return True
        if inside[k, better] < INSIDE_SHARE or better not in others:
            return False
        theirs = seam.unwrap_near(others[better], found.boxes[k, 0], wrap_px)
        return bool((np.asarray(box_math.iou(found.boxes[k][None], theirs)) <= SAME_IOU).all())

    parts: dict[int, list[int]] = {}
    for k in np.argsort(-found.scores, kind="stable").tolist():
        owner = next((better for better in kept if double(k, better)), None)
        if owner is None:
            kept.append(k)
        else:
            parts.setdefault(owner, []).append(k)
    return MergedPeople(found.boxes[kept], found.scores[kept], found.heads[kept],
                        tuple(found.silhouettes[k] for k in kept), found.truncated[kept],
                        {row: seam.unwrap_near(found.boxes[parts[k]], found.boxes[k, 0], wrap_px)
                         for row, k in enumerate(kept) if k in parts},
                        {row: found.more_heads[k] for row, k in enumerate(kept) if k in found.more_heads})
