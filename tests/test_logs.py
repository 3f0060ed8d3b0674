"""A log that one thing cannot fill."""

from __future__ import annotations

import logging

from aipg_plugin.logs import RateLimit


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Keep(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())


def test_one_message_about_one_thing_is_limited_and_counted() -> None:
    clock, keep, log = Clock(), Keep(), logging.Logger("x")
    log.addFilter(RateLimit(most=3, per_s=10, clock=clock))
    log.addHandler(keep)
    for number in range(1000):
        log.warning("%s: refused (%d)", "lobby", number)
    log.warning("%s: refused (%d)", "hall", 7)
    log.warning("another")
    assert keep.told == [*(f"lobby: refused ({number})" for number in range(3)), "hall: refused (7)", "another"]
    clock.now_s = 12.0
    log.warning("%s: refused (%d)", "lobby", 1000)
    assert keep.told[-1] == "lobby: refused (1000) (997 more in the last 12 s)"


def test_it_forgets_what_it_need_not_know() -> None:
    limit = RateLimit()
    for number in range(5000):
        assert limit.filter(logging.makeLogRecord({"msg": "%s", "args": (str(number),)}))
    assert len(limit._windows) <= 1000
