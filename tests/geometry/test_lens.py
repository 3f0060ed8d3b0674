"""Lens laws: both directions, the rim, the domain, and OpenCV as witness."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.errors import GeometryError
from aipg_plugin.geometry import LensLaw
from aipg_plugin.options import LensModelName
from tests.strategies import lens_laws, numbers


@given(lens_laws(), st.lists(numbers(0, 1), max_size=30))
def test_round_trip_from_the_centre_to_the_rim(law: LensLaw, shares: list[float]) -> None:
    theta = np.array([0.0, *shares, 1.0]) * law.half_fov_rad
    r = law.theta_to_r(theta)
    assert r[0] == 0
    assert r[-1] == pytest.approx(1)
    # An orthographic lens packs the last rays together: there the inverse loses half the digits.
    loose = 1e-7 if law.name is LensModelName.ORTHOGRAPHIC or law.fov_deg > 350 else 1e-9
    np.testing.assert_allclose(law.r_to_theta(r), theta, atol=loose)
    assert np.all(np.diff(law.theta_to_r(np.sort(theta))) >= 0)


@given(lens_laws())
def test_nothing_lands_before_zero_or_past_a_half_turn(law: LensLaw) -> None:
    assert np.isnan(law.theta_to_r([-0.1, np.pi + 0.1, np.nan])).all()
    assert np.isnan(law.r_to_theta([-0.1, 1e9 if law.name is not LensModelName.STEREOGRAPHIC else np.nan])).all()


@given(lens_laws())
def test_empty_and_shaped_arrays_keep_their_shape(law: LensLaw) -> None:
    assert law.theta_to_r(np.zeros((0,))).shape == (0,)
    assert law.r_to_theta(np.zeros((2, 0, 3))).shape == (2, 0, 3)
    assert law.theta_to_r(0.1).shape == ()


@pytest.mark.parametrize("name", [n for n in LensModelName if n is not LensModelName.ORTHOGRAPHIC])
def test_fields_over_180_degrees_reach_behind_the_camera(name: LensModelName) -> None:
    law = LensLaw(name, 220.0)
    assert law.theta_to_r(np.radians(100)) < 1 < law.theta_to_r(np.radians(115))


def test_kannala_brandt_agrees_with_opencv() -> None:
    k = (0.03, -0.012, 0.004, -0.0006)
    law = LensLaw("kannala_brandt", 170.0, k)
    rng = np.random.default_rng(1)
    points = rng.normal(size=(500, 1, 3)) * (1, 1, 0.3) + (0, 0, 1.0)
    points = points[points[:, 0, 2] > 0.05][:, None, 0]
    focal = 300.0
    camera = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1.0]])
    px, _ = cv2.fisheye.projectPoints(points.astype(np.float64), np.zeros(3), np.zeros(3), camera, np.array(k))
    distance = np.hypot(*(px[:, 0] - (320, 240)).T)
    ray = points[:, 0] / np.linalg.norm(points[:, 0], axis=1, keepdims=True)
    theta = np.arctan2(np.hypot(ray[:, 0], ray[:, 1]), ray[:, 2])
    half = np.radians(85)
    rim = focal * (half + k[0] * half**3 + k[1] * half**5 + k[2] * half**7 + k[3] * half**9)
    np.testing.assert_allclose(law.theta_to_r(theta) * rim, distance, rtol=1e-9)
    np.testing.assert_allclose(law.r_to_theta(distance / rim), theta, atol=1e-9)


@pytest.mark.parametrize(("name", "fov", "coefficients"), [
    ("orthographic", 181, ()), ("equidistant", 0, ()), ("equidistant", 361, ()), ("stereographic", 360, ()),
    ("equidistant", float("nan"), ()), ("kannala_brandt", 180, (-1.0,)), ("kannala_brandt", 180, (0.0,) * 5),
    ("kannala_brandt", 180, (float("inf"),)),
])
def test_impossible_lenses_are_refused(name: str, fov: float, coefficients: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError):
        LensLaw(LensModelName(name), fov, coefficients)
