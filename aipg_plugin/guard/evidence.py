"""What is known about the people before one camera, at any time: looks, doubts and figures."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aipg_plugin.geometry.arrays import Bools
from aipg_plugin.geometry.figure import Figure
from aipg_plugin.guard.glimpses import Glimpse, figures_of, glimpses, near_any
from aipg_plugin.guard.looked_at import LookedAt
from aipg_plugin.guard.looks import NOTHING_BESIDE, NOTHING_KNOWN, Beside, Look, Shown, Status, Urgency
from aipg_plugin.options import PrivacyGuard, Sensitivity
from aipg_plugin.scene.change import Thumbnail
from aipg_plugin.scene.foreground import NO_FOREGROUND
from aipg_plugin.scene.observation import Analyzer, Glance, Observation
from aipg_plugin.scene.picture import LookPicture
from aipg_plugin.thresholds import MaskedForeground, thresholds
from aipg_plugin.tracking.track import Track
from aipg_plugin.tracking.tracker import Tracker

_log = logging.getLogger(__name__)

CALM_S = 1.0   # a doubt is believed to last this long after it was last seen
NEW_SCENE_HOLD_S = 0.5  # people of the scene before, once another has been looked at
MEMORY_S = 8.0  # a frame older than this (and hindsight) cannot be vouched for any more; below what the tracker keeps
_NEVER = Status(age_s=float("inf"), doubt="", swept=False)
_FORGOTTEN = Status(age_s=float("inf"), doubt="the frame waited too long", swept=False)
_OUT_OF_TURN = 2.0  # times the time from the look before to one: the next comes no later, at however low a rate
_EXACT_S = 1e-3  # a frame this near to a look is the one looked at
_MUCH_LEFT = 0.1  # of the picture, covered because there was no time to look at it: more, and looks are short of time
_MOST_LEFT = 0.4  # of the picture that there was no time to look at: more, and all of it is masked
_TOO_MUCH = "the detector is late"
_OTHER_SCENE = "another scene than was looked at"


def _any_look(_look: Look) -> bool:
    return True


class Evidence:
    """Looks at pictures when due and answers for any moment. Safe to ask from several threads.

    `hindsight_s`: moments are asked for so long after they were looked at, and answered by all that is known then
    (files); 0: by what was known soon after them (live).
    """

    def __init__(self, analyzer: Analyzer, tracker: Tracker, *, period_s: float, hindsight_s: float = 0.0) -> None:
        self._analyzer = analyzer
        self._tracker = tracker
        self.period_s = period_s
        self._hindsight = hindsight_s > 0
        self._memory_s = MEMORY_S + hindsight_s
        self._lock = threading.RLock()
        self._times: list[float] = []
        self._looks: list[Look] = []
        self._first_s = float("inf")
        self._due_s = -float("inf")
        self._epoch = 0
        self._looked_at = LookedAt(analyzer.projection.size_wh)
        self._forget_scene = self._sweep_all = self._needs_background = self._settled = False
        self.on_look: Callable[[float, tuple[Track, ...]], None] | None = None

    @property
    def epoch(self) -> int:
        """Counts the resets."""
        return self._epoch

    def due(self, t_s: float) -> bool:
        """Whether a picture of this time should be looked at."""
        return t_s >= self._due_s

    @property
    def settled(self) -> bool:
        """Files: whether the last look, at a sound picture, showed all who are tracked, and nothing else that moved."""
        return self._settled

    def extend(self, t_s: float) -> None:
        """Nothing new was to be seen at this moment: the last look holds for it too."""
        with self._lock:
            self._looks[-1] = replace(self._looks[-1], until_s=t_s)

    @property
    def extends_from_s(self) -> float:
        """The moment from which on `extend` makes a difference: that of the look before the last."""
        with self._lock:
            return self._times[-2] if len(self._times) > 1 else -float("inf")

    @property
    def looked_until_s(self) -> float:
        """Time of the newest picture that has been looked at."""
        with self._lock:
            return self._times[-1] if self._times else -float("inf")

    def looks_after(self, t_s: float) -> int:
        """How many pictures newer than a moment have been looked at."""
        with self._lock:
            return len(self._times) - bisect_right(self._times, t_s)

    def look(self, picture: LookPicture, t_s: float, shown: Shown = NOTHING_KNOWN, *,
             budget_s: float | None = None, epoch: int | None = None, beside: Beside = NOTHING_BESIDE) -> None:
        """Look at one picture, with `budget_s` of the detector's time. Total: an analyzer that raises leaves a doubt.

        A picture of an `epoch` that is over is left out. What is `beside` is done before any of what is known changes.
        """
        beside.end()
        with self._lock:
            if epoch is not None and epoch != self._epoch:
                return
            self._due_s = t_s + self.period_s * 0.98
            epoch = self._epoch
        try:
            self._look(picture, t_s, shown, budget_s, epoch, beside)
        except Exception as error:  # the guard outlives its detector
            self._failed(t_s, shown, error, epoch)
        self._tell(t_s, epoch)

    def glance(self, picture: LookPicture, t_s: float, shown: Shown, epoch: int | None = None) -> Glance:
        """See whether a picture need be looked at (live): no, if it shows the same as the last one, and no tile is due.

        Where it shows the same it counts as a look that finds everybody where they were, whatever is due. Total.
        """
        with self._lock:
            last = self._looks[-1] if self._looks else None
            epoch = self._epoch if epoch is None else epoch
            if (epoch != self._epoch or self._hindsight or shown.urgency is not Urgency.ROUTINE
                    or last is None or not last.swept or last.doubt or t_s <= last.t_s
                    or not self._tracker.all_seen(last.t_s)
                    or self._forget_scene or self._sweep_all or self._needs_background):
                return Glance.NEWS
            boxes = self._tracker.boxes
        try:
            glance = self._analyzer.glance(picture, t_s, boxes)
        except Exception as error:  # as when a look fails
            self._failed(t_s, shown, error, epoch)
            return Glance.NEWS
        if glance is Glance.NEWS:
            return glance
        with self._lock:
            if epoch != self._epoch:
                return Glance.SAME
            self._due_s = t_s + self.period_s * 0.98
            self._tracker.hold(t_s)
            unseen = None if last.thumbnail is None else np.zeros(last.thumbnail.luma.shape, bool)
            self._add(replace(last, t_s=t_s, until_s=-float("inf"), uncertainty_s=shown.uncertainty_s, places=unseen))
        self._tell(t_s, epoch)
        return glance

    def see(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        """Glance at a picture, and look at it where that does not do: for who has nothing else to do meanwhile. Total.
        """
        if self.glance(picture, t_s, shown) is not Glance.SAME:
            self.look(picture, t_s, shown)

    def _look(self, picture: LookPicture, t_s: float, shown: Shown, budget_s: float | None, epoch: int,
              beside: Beside) -> None:
        with self._lock:
            if epoch != self._epoch:
                return
            expected = self._tracker.figures(t_s)
            forget, self._forget_scene = self._forget_scene, False
            sweep_all, self._sweep_all = self._sweep_all or shown.new_scene, False
        beside.begin()
        try:
            if forget:
                self._analyzer.reset()
            observation = self._analyzer.look(picture, t_s, expected, sweep_all=sweep_all,
                                              changed_px=shown.changed_px, budget_s=budget_s)
        finally:
            beside.end()
        found = observation.detections
        if not (np.isfinite(np.asarray(found.boxes)).all() and np.isfinite(np.asarray(found.scores)).all()):
            raise FloatingPointError("the detector returned numbers that are not finite")
        with self._lock:
            if epoch == self._epoch:
                if shown.new_scene:
                    self._tracker.new_segment(t_s, NEW_SCENE_HOLD_S)
                elif observation.scene_change:
                    self._tracker.new_segment(t_s)
                if not observation.doubt:
                    self._tracker.update(observation.detections, t_s, observation.gone, observation.looked,
                                         observation.unchanged)
                looked_at, places = self._picture(shown, observation, t_s)
                self._needs_background &= not observation.background_known
                swept = observation.complete and not observation.doubt and not self._needs_background
                doubt = observation.doubt or (_TOO_MUCH if observation.left_share > _MOST_LEFT else "")
                self._add(Look(t_s, doubt, swept, observation.foreground, looked_at, shown.uncertainty_s,
                               left=observation.left, short=observation.hurried or observation.left_share > _MUCH_LEFT,
                               places=places))

    def tune(self, guard: PrivacyGuard) -> None:
        """Put the settings that need no new start in force: sensitivity, hold, rate."""
        limits = thresholds(guard.sensitivity)
        with self._lock:
            self.period_s = 1 / guard.detect_hz
            # Whom these limits would have found where nothing changes, nobody looks for again for long.
            self._sweep_all |= limits.on_score < self._tracker.on_score
            self._tracker.set_limits(hold_s=guard.hold_s, on_score=limits.on_score, keep_score=limits.keep_score)

    def reset(self, *, returned: bool = False) -> None:
        """Start anew: what was seen before counts no longer.

        `returned`: the camera was away and is back. What is known of its scene is kept, but nothing counts before a
        full sweep, and before the background is known.
        """
        with self._lock:
            self._epoch += 1
            self._due_s = -float("inf")
            self._sweep_all, self._forget_scene = True, not returned
            self._needs_background |= returned
            self._times.clear()
            self._looks.clear()
            self._settled = False
            self._looked_at.restart()
            self._tracker.reset()

    def around(self, t_s: float) -> tuple[Look, ...]:
        """The last look at or before a moment and the first one after it, as far as there are any."""
        with self._lock:
            after = bisect_right(self._times, t_s)
            return tuple(self._looks[max(after - 1, 0):after + 1])

    def status(self, t_s: float, same_scene: Callable[[Look], bool] = _any_look) -> Status:
        """Trust in the evidence for one moment: none before the first look, and none once it is forgotten.

        Only looks at the `same_scene` as the frame's count.
        """
        with self._lock:
            if not self._looks or t_s < self._first_s:
                return _NEVER
            if t_s < self._times[-1] - self._memory_s:
                return _FORGOTTEN
            after = bisect_right(self._times, t_s)
            near = self._looks[max(after - 1, 0):after + 1]
            around = [look for look in near if same_scene(look)]
            looked_after = after < len(self._looks) and near[-1] in around
            calm = bisect_right(self._times, t_s - CALM_S)
            doubt = next((look.doubt for look in self._looks[calm:after + 1] if look.doubt), "")
        if not around:
            return Status(float("inf"), doubt or _OTHER_SCENE, swept=False)
        age_s = min(look.age_s(t_s) for look in around)
        gap_s = around[-1].t_s - max(around[0].t_s, around[0].until_s)
        if not looked_after:
            gap_s = float("inf")
        elif age_s <= _EXACT_S:
            gap_s = self._stall_s(after)
        return Status(age_s, doubt, any(look.swept for look in around), max(look.uncertainty_s for look in around),
                      gap_s, any(look.short for look in around))

    def _stall_s(self, after: int) -> float:
        """How long after a look the next one (at `after`) came, if that is out of turn; 0 if it is not.

        Who was half hidden in the one is found in the next, and not painted back over a stall.
        """
        now_s, next_s = self._times[after - 1], self._times[after]
        usual_s = now_s - self._times[after - 2] if after >= 2 else 0.0
        return next_s - now_s if not self._hindsight and next_s - now_s > _OUT_OF_TURN * usual_s else 0.0

    def tracks(self) -> tuple[Track, ...]:
        """Everybody tracked now."""
        with self._lock:
            return self._tracker.tracks

    def figures(self, t_s: float, *, sensitivity: Sensitivity, expected: bool = False) -> tuple[Figure, ...]:
        """Everybody at one moment, and of what only motion saw in the looks around it what `sensitivity` has masked;
        what these looks had no time for always is.

        `expected`: at the moment that is looked at next, which no hindsight tells of; what there was no time for is
        left out, since it explains nothing that moves there.
        """
        masked = thresholds(sensitivity).foreground
        known_after = self._hindsight and not expected
        with self._lock:
            figures = self._tracker.figures(t_s, hindsight=known_after, walked_on=expected)
            after = bisect_right(self._times, t_s)
            around = range(max(after - 1, 0), min(after + 1, len(self._looks)))
            left = [] if expected else [one for index in around
                                        for one in glimpses(self._looks[index].left, self._looks[index].t_s)]
            seen = [] if masked is MaskedForeground.NONE else [one for index in around for one in self._lasting(index)]
        if masked is MaskedForeground.NEAR_TRACK:
            seen = [one for one in seen if near_any(one, (figure.box for figure in figures))]
        return figures + figures_of(seen + left, t_s, figures, known_after=known_after)

    def _failed(self, t_s: float, shown: Shown, error: Exception, epoch: int) -> None:
        with self._lock:
            if epoch == self._epoch:
                self._add(Look(t_s, f"the detector failed ({type(error).__name__})", False, NO_FOREGROUND,
                               shown.thumbnail))

    def _tell(self, t_s: float, epoch: int) -> None:
        try:
            if self.on_look is not None and epoch == self._epoch:
                self.on_look(t_s, self.tracks())
        except Exception:  # a listener may fail; looks go on
            _log.exception("telling of a look failed")

    def _picture(self, shown: Shown, observation: Observation, t_s: float) -> tuple[Thumbnail | None, Bools | None]:
        """What later frames are compared with: live, the picture as each place was last looked at, and which now.

        In hindsight the tracks know who came in between two looks.
        """
        if self._hindsight or shown.new_scene or observation.doubt or shown.thumbnail is None:
            self._looked_at.restart()
            return shown.thumbnail, None
        return self._looked_at.update(shown.thumbnail, observation.looked_grid, self._tracker.figures(t_s))

    def _lasting(self, index: int) -> list[Glimpse]:
        """A look's foreground, less where neither the look before nor the one after has anything.

        Somebody there would be seen more than once; while either look is missing or doubtful, everything counts.
        """
        found = glimpses(self._looks[index].foreground, self._looks[index].t_s)
        if not found or not 0 < index < len(self._looks) - 1:
            return found
        beside = self._looks[index - 1], self._looks[index + 1]
        if any(look.doubt or not look.swept for look in beside):
            return found
        others = [box for look in beside for box in look.foreground.boxes]
        if all(near_any(one, others) for one in found):
            return found  # most do, and who is there need not be asked
        others += [figure.box for look in beside for figure in self._tracker.figures(look.t_s)]
        return [one for one in found if near_any(one, others)]

    def _add(self, look: Look) -> None:
        if self._times and look.t_s <= self._times[-1]:
            look = replace(look, t_s=self._times[-1] + 1e-6)
        if not self._times:
            self._first_s = look.t_s
        self._times.append(look.t_s)
        self._looks.append(look)
        self._settled = (self._hindsight and look.swept and not look.doubt and not len(look.foreground)
                         and self._tracker.all_seen(look.t_s))
        self._forget(look.t_s - self._memory_s)

    def _forget(self, before_s: float) -> None:
        """Forget what no frame from `before_s` on can need."""
        count = bisect_right(self._times, before_s - 2 * CALM_S)
        del self._times[:count], self._looks[:count]
        self._tracker.prune(before_s)

