"""The attack of benchmarks/attack.py, small: it must break a plain mosaic and must not break ours."""

from __future__ import annotations

import pytest

from aipg_plugin.options import BlurIntensity
from benchmarks.attack import Heads, Prior, attack, baselines
from benchmarks.attack_film import HeadPath
from benchmarks.heads import people

CREEP = HeadPath("creep", 4.0, lambda t: (0.5 + 0.10 * t, 0.5 + 0.043 * t))


@pytest.fixture(scope="module")
def heads() -> Heads:
    data = people("drawn", identities=12, others=100)
    assert data is not None
    probes, gallery, learned = (d.reshape(len(d), -1, 3).astype(float) for d in data)
    return Heads("drawn", probes, gallery, Prior.learn(learned))


@pytest.mark.parametrize("intensity", list(BlurIntensity))
def test_a_film_of_our_mosaic_shows_less_than_one_frame_of_a_plain_one(heads: Heads, intensity: BlurIntensity) -> None:
    rows, _ = attack(heads, intensity, CREEP)
    plain_one, plain_all, _, alone, _, with_body = rows
    prior = baselines(heads)[1]
    assert plain_all.psnr_db > plain_one.psnr_db + 2, "the attack itself must work"
    for ours in (alone, with_body):
        assert ours.psnr_db < plain_one.psnr_db
        assert ours.ssim < prior.ssim + 0.12
        assert ours.rank1 <= ours.luck + 1 / 12, "no better than luck, give or take one head"
