"""Turns: how many work at a time, in which order, and what becomes of one that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aipg_plugin.guard.turns import Turns
from tests.guard import scenes
from tests.servers import wait_for


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_more_at_once_than_said(at_once: int) -> None:
    turns, lock = Turns(at_once, patience_s=60.0), threading.Lock()
    working, most = 0, 0

    def work() -> None:
        nonlocal working, most
        for _ in range(20):
            with turns.turn():
                with lock:
                    working += 1
                    most = max(most, working)
                time.sleep(0.0005)
                with lock:
                    working -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == at_once


def test_in_the_order_of_asking() -> None:
    turns, order = Turns(1, patience_s=60.0), list[int]()

    def work(number: int) -> None:
        with turns.turn():
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    with turns.turn():
        for number, thread in enumerate(threads):
            thread.start()
            wait_for(lambda number=number: len(turns._waiting) == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_one_that_hangs_holds_nobody_up_for_long() -> None:
    turns, go_on, inside = Turns(1, patience_s=0.05), threading.Event(), threading.Event()

    def hang() -> None:
        with turns.turn():
            inside.set()
            go_on.wait()

    hung = threading.Thread(target=hang)
    hung.start()
    inside.wait()
    for _ in range(3):
        with turns.turn():
            assert hung.is_alive()
    go_on.set()
    hung.join()
    with turns.turn():  # what went without a turn gives none back
        late = threading.Thread(target=turns._take)
        late.start()
        late.join()
        assert turns._free == 0


def test_work_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, patience_s=60.0)
    with pytest.raises(ValueError, match="broken"), turns.turn():
        raise ValueError("broken")
    with turns.turn():
        assert turns._free == 0
    assert turns._free == 1


def test_no_frame_leaves_clear_once_the_guard_is_on_though_it_was_painted_before() -> None:
    """Others' turns come between a frame's own: what was let through by then is not handed out any more."""
    on = scenes.camera(lookahead_s=0.0)
    subject = scenes.guard(scenes.camera(lookahead_s=0.0, enabled=False), live=True)

    class SwitchedOn(Turns):
        @contextmanager
        def turn(self) -> Iterator[None]:
            with super().turn():
                yield
            taken.append(1)
            if len(taken) == 4:  # two for each frame: it comes, and it is painted
                subject.configure(on)

    subject._turns, taken = SwitchedOn(1), list[int]()
    try:
        (clear,) = subject.process(scenes.frame(0))
        assert clear.state == "off"
        assert [one.state for one in subject.process(scenes.frame(1))] == []
        (guarded,) = subject.process(scenes.frame(2))
        assert guarded.state != "off"
    finally:
        subject.close()
