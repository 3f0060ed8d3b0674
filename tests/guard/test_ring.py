"""The ring: how long a frame waits for what is seen after it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.guard.ring import Ring


@dataclass(frozen=True)
class Item:
    t_s: float
    arrived_s: float


def waits(items: list[Item], lookahead_s: float = 0.4, looked_until_s: float = float("inf")) -> dict[Item, float]:
    """When each item left, by arrival."""
    ring: Ring[Item] = Ring(lookahead_s)
    left = {}
    for item in items:
        ring.push(item)
        for one in ring.due(lambda waiting: waiting.t_s <= looked_until_s):
            left[one] = item.arrived_s
    return left


def steady(count: int = 60, fps: float = 20.0) -> list[Item]:
    return [Item(index / fps, index / fps) for index in range(count)]


def test_frames_of_a_steady_stream_leave_after_the_look_ahead() -> None:
    left = waits(steady())
    assert all(abs(left[item] - item.arrived_s - 0.4) < 0.051 for item in left)
    assert len(left) >= 51


def test_who_waited_while_nothing_came_waits_for_what_came_then() -> None:
    """Nothing arrives for 1.5 s: frames from before would leave with the first one after, that nobody looked at."""
    items = [one if one.t_s < 2 else Item(one.t_s, max(one.arrived_s, 3.5)) for one in steady(120)]
    left = waits(items)
    before = [one for one in items if 1.65 < one.t_s < 2]
    assert before
    for one in before:
        assert left[one] >= 3.5 + 0.4 - (2 - one.t_s) - 0.001


def test_small_delays_are_no_stall() -> None:
    """Frames that come in threes, each three together, wait no longer than the look-ahead and one three."""
    items = [Item(index / 20, (index // 3 * 3 + 2) / 20) for index in range(60)]
    left = waits(items)
    assert max(left[item] - item.t_s for item in left) <= 0.4 + 3 * 0.1 + 0.001


def test_a_frame_that_nobody_explained_waits_longer_but_not_for_ever() -> None:
    left = waits(steady(), looked_until_s=-1)
    waited = [left[item] - item.arrived_s for item in left]
    assert min(waited) >= 1.35
    assert max(waited) <= 1.4 + 0.051


def test_without_look_ahead_nothing_waits() -> None:
    left = waits(steady(), lookahead_s=0.0, looked_until_s=-1)
    assert all(left[item] == item.arrived_s for item in left)


@given(st.lists(st.tuples(st.floats(0.001, 0.5), st.floats(0, 3)), min_size=1, max_size=150),
       st.floats(0, 5), st.floats(-1, 40))
def test_order_is_kept_and_nothing_is_lost(steps: list[tuple[float, float]], lookahead_s: float,
                                           looked_until_s: float) -> None:
    ring: Ring[Item] = Ring(lookahead_s, max_items=50)
    item, pushed, out = Item(0, 0), [], []
    for step_s, gap_s in steps:
        item = Item(item.t_s + step_s, item.arrived_s + gap_s)
        pushed.append(item)
        ring.push(item)
        out += ring.due(lambda waiting: waiting.t_s <= looked_until_s)
        assert len(ring) <= 50
    assert out + ring.drain() == pushed
    assert len(ring) == 0
