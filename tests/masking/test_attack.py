"""The attack of benchmarks/attack.py, small: it must break a plain mosaic and must not break ours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.options import BlurIntensity
from benchmarks.attack import Heads, Row, above_luck, attack, baselines, judge, make_heads, nearest
from benchmarks.attack_film import HeadPath

CREEP = HeadPath("creep", 4.0, lambda t: (0.5 + 0.10 * t, 0.5 + 0.043 * t))


@pytest.fixture(scope="module")
def heads() -> list[Heads]:
    groups = make_heads("drawn", identities=12, others=100, groups=1)
    assert groups is not None
    return groups


@pytest.mark.parametrize("intensity", list(BlurIntensity))
def test_a_film_of_our_mosaic_shows_less_than_one_frame_of_a_plain_one(
        heads: list[Heads], intensity: BlurIntensity) -> None:
    rows, _ = attack(heads, intensity, CREEP)
    plain_one, plain_all, _, alone, _, with_body = rows
    prior = baselines(heads)[1]
    assert plain_all.psnr_db > plain_one.psnr_db + 2, "the attack itself must work"
    assert plain_all.p < 0.001
    assert not above_luck(rows)
    for ours in (alone, with_body):
        assert ours.psnr_db < plain_one.psnr_db
        assert ours.ssim < prior.ssim + 0.12


def test_luck_is_told_from_what_is_known() -> None:
    rng, count = np.random.default_rng(1), 40
    blind = judge([nearest(rng.random((count, count)))[None] for _ in range(3)])
    assert blind.p > 0.05
    assert blind.low <= 1 / count <= blind.high
    knows = judge([nearest(rng.random((count, count)) - 0.2 * np.eye(count))[None] for _ in range(3)])
    assert knows.p < 0.001
    assert knows.rank1 > knows.luck
    assert knows.low > 1 / count
    alike = judge([nearest(np.zeros((count, count)))[None]])
    assert alike.p == 1
    assert alike.rank1 == pytest.approx(1 / count)


def test_of_many_rows_the_least_likely_is_no_finding_by_itself() -> None:
    row = Row("drawn", "high", "creep", "body", "all", 3, 0.07, 0.03, 0.16, 0.05, 0.03, 12.0, 0.2)
    others = [replace(row, p=0.5) for _ in range(30)]
    assert above_luck([row]) == [row]
    assert above_luck([row, *others]) == []
    assert len(above_luck([replace(row, p=0.001), replace(row, mosaic="plain", p=0.0001), *others])) == 1
