"""What every host adapter owes: guarded frames only, nothing borrowed kept, nothing lost, settings and health live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.errors import AipgError, HostError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.options import Settings
from tests.contracts.adapters import Adapter, InPlugin, Make, makers
from tests.hosts import viseron_double as double
from tests.hosts.walk import clear_share

GREEN_BGR, BROWN_BGR = (64, 160, 32), (32, 64, 160)
Made = tuple[Make, Settings]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contracts")


@pytest.fixture(params=["plugin", "standalone", "viseron"])
def made(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    with double.installed():
        yield makers(folder, monkeypatch)[request.param]


@pytest.fixture
def adapter(made: Made) -> Iterator[Adapter]:
    running = made[0](made[1])
    yield running
    running.stop()


def share_of(bgr: NDArray[np.uint8], colour_bgr: tuple[int, int, int]) -> float:
    return float((np.abs(bgr.astype(int) - colour_bgr).max(axis=2) < 20).mean())


def feed_until(adapter: Adapter, colour_bgr: tuple[int, int, int], most: int = 150) -> int:
    """Feed until figures are masked in a colour; returns how many frames it took."""
    for count in range(1, most + 1):
        adapter.feed()
        if adapter.out and 0.005 < share_of(adapter.out[-1], colour_bgr) < 0.4:
            return count
    raise AssertionError(f"no figure was masked within {most} frames: {adapter.health()}")


def test_nothing_clear_leaves_from_the_first_frame_on(adapter: Adapter) -> None:
    feed_until(adapter, GREEN_BGR)
    for _ in range(10):
        adapter.feed()
    assert max(map(clear_share, adapter.out)) < 0.02
    assert all(isinstance(frame, GuardedFrame) for frame in adapter.frames)


def test_what_leaves_is_in_order_and_cannot_be_written(adapter: Adapter) -> None:
    for _ in range(15):
        adapter.feed()
    guarded = [frame for frame in adapter.frames if isinstance(frame, GuardedFrame)]
    assert [frame.seq for frame in guarded] == sorted({frame.seq for frame in guarded})
    for frame in guarded:
        with pytest.raises(ValueError, match="read-only"):
            frame.planes[0][0, 0] = 0
        with pytest.raises(AipgError):
            frame.planes = ()


def test_settings_change_between_two_frames(made: Made, adapter: Adapter) -> None:
    feed_until(adapter, GREEN_BGR)
    camera = made[1].cameras[0]
    guard = replace(camera.privacy_guard, fill_colour="#a04020")
    adapter.configure(replace(made[1], cameras=(replace(camera, privacy_guard=guard),)))
    before = len(adapter.out)
    feed_until(adapter, BROWN_BGR)
    old = [number for number, bgr in enumerate(adapter.out[before:]) if share_of(bgr, GREEN_BGR) > 0.005]
    assert max(old, default=0) <= 2, "only what was on its way still has the old colour"
    assert max(map(clear_share, adapter.out[before:])) < 0.02


def test_new_geometry_masks_whole_pictures_until_it_is_known(made: Made, adapter: Adapter) -> None:
    feed_until(adapter, GREEN_BGR)
    camera = made[1].cameras[0]
    adapter.configure(replace(made[1], cameras=(replace(camera, camera_height_m=4.0, lens=replace(
        camera.lens, fov_deg=185.0)),)))
    before = len(adapter.out)
    feed_until(adapter, GREEN_BGR)
    assert max(map(clear_share, adapter.out[before:])) < 0.02


def test_health_tells(adapter: Adapter) -> None:
    assert not adapter.health().ok or adapter.out
    feed_until(adapter, GREEN_BGR)
    while not (health := adapter.health()).ok:  # a late look on a busy machine is a problem, and says so
        assert health.details["problems"]
        adapter.feed()
    assert health.state == "guarding"
    stats = health.details["streams"]
    assert isinstance(stats, dict)
    assert set(stats) == {"lobby"}


def test_a_detector_that_dies_masks_everything(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    feed_until(adapter, GREEN_BGR)
    before = len(adapter.out)
    monkeypatch.setattr(type(adapter.plugin._app._net), "run", lambda *_: 1 / 0)
    for _ in range(150):
        adapter.feed()
        if not (health := adapter.health()).ok:
            break
    for _ in range(5):
        adapter.feed()
    assert "detector" in str(health.details["problems"])
    assert max(map(clear_share, adapter.out[before:])) < 0.02


def test_stop_gives_what_was_still_waiting(made: Made) -> None:
    adapter = made[0](made[1])
    for _ in range(12):
        adapter.feed()
    waiting = adapter.plugin._app.guard("lobby").stream("1").stats.frames_in - len(adapter.frames)
    adapter.stop()
    if isinstance(adapter, InPlugin):
        assert [frame.seq for frame in adapter.frames] == list(range(12))  # type: ignore[attr-defined]
        assert waiting > 3, "the look-ahead held some back"
    assert max(map(clear_share, adapter.out), default=0) < 0.02


@pytest.mark.parametrize("made", ["plugin"], indirect=True)
def test_a_host_that_fails_does_not_stop_the_detector(made: Made) -> None:
    class Failing(InPlugin):
        told = 0

        def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
            self.told += 1
            raise RuntimeError("the host's own fault")

    adapter = Failing(made[1])
    feed_until(adapter, GREEN_BGR)
    told = adapter.told
    for _ in range(40):
        adapter.feed()
    adapter.stop()
    assert adapter.told > told
    assert max(map(clear_share, adapter.out)) < 0.02


@pytest.mark.parametrize("made", ["plugin"], indirect=True)
def test_streams_nobody_started_or_configured(made: Made) -> None:
    plugin = InPlugin(made[1]).plugin
    picture = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(HostError, match="not started"):
        plugin.on_frame("lobby", Frame("2", 0, None, 0.0, PixelFormat.BGR24, (32, 32), (picture,)))
    for camera, stream in (("lobby", "7"), ("cellar", "1")):
        with pytest.raises(AipgError, match=stream if camera == "lobby" else camera):
            plugin.on_stream_start(camera, stream)
    plugin.close()
