"""Which frame of the sample clip comes when: bursts, cuts, returns, loops, time-lapse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

FPS = 15.0
_TURNS = 3  # other scenes: the clip turned by 90, 180 and 270 degrees and mirrored


@dataclass(frozen=True, eq=False)
class Shot:
    """One frame of a scenario: frame `index` of the clip, `turn` 0 as it is or 1 to 3 as another scene.

    `pts_s` and `arrival_s` are what the guard is told; `lost` that the source was lost before it.
    """

    index: int
    pts_s: float | None
    arrival_s: float
    turn: int = 0
    lost: bool = False


def steady(count: int = 258, start_s: float = 0.0) -> list[Shot]:
    """The clip to and fro, so that nobody jumps."""
    return [Shot(_to_and_fro(k), start_s + k / FPS, start_s + k / FPS) for k in range(count)]


def _to_and_fro(k: int) -> int:
    k %= 256
    return k if k <= 128 else 256 - k


def bursts(late_s: float, *, stamped: bool = True, phase_s: float = 0.0) -> list[Shot]:
    """The last `late_s` of every 4 s arrive together, the first of them `phase_s` earlier."""
    shots: list[Shot] = []
    for shot in steady():
        within_s = (shot.arrival_s + phase_s) % 4.0
        arrival_s = shot.arrival_s if within_s < 4.0 - late_s else shot.arrival_s - within_s + 4.0
        shots.append(replace(shot, arrival_s=arrival_s + 0.0005 * (len(shots) % 40),
                             pts_s=shot.pts_s if stamped else None))
    return shots


def random_bursts(rng: Random) -> list[Shot]:
    """The clip from anywhere on; the last 0.5 to 2 s of every 4 s arrive together."""
    late_s, phase_s, start = rng.uniform(0.5, 2.0), rng.uniform(0.0, 4.0), rng.randrange(256)
    return [replace(shot, index=_to_and_fro(start + k)) for k, shot in enumerate(bursts(late_s, phase_s=phase_s))]


def random_breaks(rng: Random) -> list[Shot]:
    """The connection breaks off four times; each time it is back within 1.5 s, up to 1.5 s of frames together."""
    shots: list[Shot] = []
    index, start_s = rng.randrange(256), 0.0
    for turn in range(5):
        late_s, away_s = rng.uniform(0.2, 1.5), rng.uniform(0.05, 1.5)
        for k in range(rng.randrange(50, 75)):
            arrival_s = max(start_s + k / FPS, start_s + late_s) + 0.0005 * (k % 40)
            shots.append(Shot(_to_and_fro(index), start_s + k / FPS, arrival_s, lost=k == 0 < turn))
            index += 1
        index += int(away_s * FPS)
        start_s = shots[-1].arrival_s + away_s
    return shots


def connects(late_s: float, count: int = 5, *, told: bool = True) -> list[Shot]:
    """The source is lost and comes back, `late_s` of frames arriving together each time."""
    shots: list[Shot] = []
    for turn in range(count):
        start_s = 8.0 * turn
        for k in range(75):
            arrival_s = max(start_s + k / FPS, start_s + late_s) + 0.0005 * (k % 40)
            shots.append(Shot(_to_and_fro(40 * turn + k), start_s + k / FPS, arrival_s, lost=told and k == 0 < turn))
    return shots


def cuts(length: int, every: int = 45) -> list[Shot]:
    """`length` frames of another scene every `every` frames."""
    return [replace(shot, turn=1 + (k // every) % _TURNS if k >= 30 and k % every < length else 0)
            for k, shot in enumerate(steady())]


def sequencer(stay: int) -> list[Shot]:
    """Another scene every `stay` frames."""
    return [replace(shot, turn=(k // stay) % (_TURNS + 1)) for k, shot in enumerate(steady())]


def loops(length: int = 50) -> list[Shot]:
    """A file that starts again at its end: time goes on, people jump."""
    return [Shot(k % length, k / FPS, k / FPS) for k in range(250)]


def time_lapse(step: int, fps: float = 25.0) -> list[Shot]:
    """Every `step`-th frame, stamped as if they followed each other."""
    return [Shot(_to_and_fro(k * step), k / fps, k / fps) for k in range(120)]


SCENARIOS: dict[str, tuple[bool, Callable[[], list[Shot]]]] = {
    "steady": (True, steady),
    "burst_0.5": (True, lambda: bursts(0.5)), "burst_1": (True, lambda: bursts(1.0)),
    "burst_1.5": (True, lambda: bursts(1.5)), "burst_2": (True, lambda: bursts(2.0)),
    "burst_1.5_at_0.1": (True, lambda: bursts(1.5, phase_s=0.1)),
    "burst_1.5_at_0.3": (True, lambda: bursts(1.5, phase_s=0.3)),
    "burst_1.5_at_1": (True, lambda: bursts(1.5, phase_s=1.0)),
    "burst_1.5_at_3": (True, lambda: bursts(1.5, phase_s=3.0)),
    "burst_1_no_pts": (True, lambda: bursts(1.0, stamped=False)),
    "connect_1.5": (True, lambda: connects(1.5)), "connect_2_untold": (True, lambda: connects(2.0, told=False)),
    "cut_1": (True, lambda: cuts(1)), "cut_4": (True, lambda: cuts(4)), "cut_15": (True, lambda: cuts(15)),
    "sequencer": (True, lambda: sequencer(40)), "loop": (True, loops),
    "file": (False, steady), "file_cut_1": (False, lambda: cuts(1)), "file_cut_4": (False, lambda: cuts(4)),
    "file_loop": (False, loops), "lapse_8": (False, lambda: time_lapse(8)), "lapse_3": (False, lambda: time_lapse(3)),
    "lapse_15": (False, lambda: time_lapse(15)),
}
