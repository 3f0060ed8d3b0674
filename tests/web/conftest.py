"""One running guard a module, and one browser for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.hosts.walk import walker_net, write_walk
from tests.web.house import House

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def things(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The clip and the net."""
    folder = tmp_path_factory.mktemp("things")
    return write_walk(folder / "walk.mp4"), walker_net(folder / "walker.onnx")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, things: tuple[Path, Path]) -> Iterator[House]:
    running = House(tmp_path_factory.mktemp("house"), *things)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    path = needs.need("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def desktop_page(chromium: Any, timeout_ms: int) -> Iterator[Any]:
    """A fresh desktop page; its faults fail the test."""
    context = chromium.new_context(viewport={"width": 1360, "height": 900}, locale="en", reduced_motion="reduce")
    context.set_default_timeout(timeout_ms)
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert not faults, faults


@pytest.fixture
def page(chromium: Any, house: House) -> Iterator[Any]:
    """A fresh desktop page on the guard; faults of the page fail the test."""
    house.reset()
    with desktop_page(chromium, 15_000) as opened:
        yield opened
