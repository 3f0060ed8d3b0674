"""For every test: few threads, no display, and `need(tool)`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

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

WITH_SERVERS = ("web", "hosts", "onvif", "mqtt", "fleet", "media", "cli", "packaging")
"""The folders whose tests drive other programs: browsers, brokers, cameras, NVRs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In CI a test that drives other programs has a second try, since they may be late; never where somebody was clear.

    The summary lists each that needed it. On a developer's machine nothing is tried twice.
    """
    if not needs.IN_CI:
        return
    folder = Path(__file__).parent
    for item in items:
        if item.path.relative_to(folder).parts[0] in WITH_SERVERS:
            item.add_marker(pytest.mark.flaky(reruns=1, rerun_except=["clear", "leak"]))


@pytest.fixture(scope="session")
def need() -> Callable[[str], str]:
    """`need("ffmpeg")`: the program's path; skips where it is missing, fails in CI."""
    return needs.need
