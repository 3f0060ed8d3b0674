"""Guessing passwords is slow, and nobody else is locked out."""

from __future__ import annotations

import pytest

from aipg_plugin.media.attempts import LoginAttempts, network_of


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_guesses_are_limited_for_each_client() -> None:
    clock = Clock()
    attempts = LoginAttempts(burst=3, refill_s=5.0, clock=clock)
    guessed = 0
    for tenth in range(6000):  # ten minutes, ten guesses a second
        clock.now_s = 100.0 + tenth / 10
        if attempts.wait_s("192.0.2.1") == 0:
            attempts.failed(attempts.begin("192.0.2.1", f"guess {tenth}"))
            guessed += 1
    assert 100 < guessed <= 3 + 600 / 5
    assert attempts.wait_s("192.0.2.1") > 0
    assert attempts.wait_s("192.0.2.2") == 0
    assert attempts.failures == guessed


def test_it_says_how_long_to_wait() -> None:
    clock = Clock()
    attempts = LoginAttempts(burst=1, refill_s=5.0, clock=clock)
    attempts.failed(attempts.begin("192.0.2.1"))
    assert attempts.wait_s("192.0.2.1") == pytest.approx(5.0)
    clock.now_s += 5.0
    assert attempts.wait_s("192.0.2.1") == 0


def test_the_same_wrong_password_again_is_no_guess() -> None:
    attempts = LoginAttempts(burst=2)
    for _ in range(1000):
        attempts.failed(attempts.begin("192.0.2.1", "Basic b2xkOnBhc3N3b3Jk"))
    assert attempts.wait_s("192.0.2.1") == 0
    attempts.failed(attempts.begin("192.0.2.1", "another"))
    assert attempts.wait_s("192.0.2.1") > 0


def test_guesses_at_the_same_time_are_counted_before_they_are_checked() -> None:
    attempts = LoginAttempts(burst=3)
    begun = []
    while attempts.wait_s("192.0.2.1") == 0:
        begun.append(attempts.begin("192.0.2.1", f"guess {len(begun)}"))
    assert len(begun) == 3
    attempts.succeeded(begun[0])
    assert attempts.wait_s("192.0.2.1") == 0
    attempts.failed(begun[1])
    attempts.begin("192.0.2.1", "guess 3")
    assert attempts.wait_s("192.0.2.1") > 0


def test_a_network_of_ipv6_is_one_client() -> None:
    attempts = LoginAttempts(burst=3)
    for host in range(3):
        attempts.failed(attempts.begin(f"2001:db8:1:2::{host:x}", f"{host}"))
    assert attempts.wait_s("2001:db8:1:2::ffff") > 0
    assert attempts.wait_s("2001:db8:1:3::1") == 0
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("") == ""


def test_memory_is_bounded() -> None:
    attempts = LoginAttempts()
    for number in range(10_000):
        attempts.failed(attempts.begin(f"10.0.{number // 256}.{number % 256}", str(number)))
    assert len(attempts._clients) <= 2000
