"""For every test: few threads, no display, and `need(tool)`."""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import pytest
from hypothesis import HealthCheck, settings

import aipg_plugin  # noqa: F401  before anything imports ONNX Runtime: it turns its telemetry off
from tests import needs

cv2.setNumThreads(1)
settings.register_profile("aipg", deadline=None, derandomize=needs.IN_CI, max_examples=60, print_blob=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("aipg")


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """`need("ffmpeg")`: the program's path; skips where it is missing, fails in CI."""
    return needs.need
