"""The newest frame wins, what was lost is counted, nobody waits for ever."""

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.media.intake import Intake
from tests.servers import in_real_time


@given(st.integers(1, 5), st.lists(st.integers(), max_size=20))
def test_keeps_the_newest_in_order_and_counts_the_rest(capacity: int, items: list[int]) -> None:
    intake: Intake[int] = Intake(capacity)
    kept = [intake.put(item) for item in items]
    assert kept.count(False) == intake.dropped == max(0, len(items) - capacity)
    assert [intake.get(0) for _ in items[-capacity:]] == items[-capacity:]
    assert intake.get(0) is None


def test_close_wakes_who_waits_and_lets_the_rest_out() -> None:
    intake: Intake[int] = Intake()
    got: list[int | None] = []
    reader = threading.Thread(target=lambda: got.append(intake.get(None)))
    reader.start()
    in_real_time(0.05, "nothing tells that the reader waits already")
    intake.close()
    reader.join(2)
    assert got == [None]
    assert intake.closed
    assert not intake.put(1)


def test_items_survive_close_until_taken() -> None:
    intake: Intake[int] = Intake()
    intake.put(7)
    intake.close()
    assert not intake.closed
    assert intake.get(0) == 7
    assert intake.closed


def test_get_gives_up_in_time() -> None:
    started_s = time.monotonic()
    assert Intake[int]().get(0.1) is None
    assert 0.05 < time.monotonic() - started_s < 1.0
