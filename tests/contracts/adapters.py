"""Every way frames get into the guard, under one handle, so that one suite can hold them all to the contract."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import Frame, GuardedFrame, PixelFormat
from aipg_plugin.hooks import Health
from aipg_plugin.hosts import viseron
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.options import Camera as CameraOptions
from aipg_plugin.options import (
    CustomModel,
    MaskingMethod,
    Models,
    Output,
    OutputKind,
    PrivacyGuard,
    Settings,
    Source,
    Stream,
)
from aipg_plugin.plugin import GuardPlugin, create_plugin
from tests.hosts import viseron_double as double
from tests.hosts.walk import SIDE_PX, picture, walker_net, write_walk

FRAME_S = 0.04


def settings(net: Path, source: str = "none.mp4", **guard: object) -> Settings:
    """One guarded camera `lobby` with one stream `1`."""
    chosen = PrivacyGuard(enabled=True, target_streams=("1",), masking_method=MaskingMethod.FILLING,
                          fill_colour="#20a040", lookahead_s=0.3)
    camera = CameraOptions("lobby", streams=(Stream("1", Source(source, loop=True), outputs=(
        Output(OutputKind.FILE, "unused.mp4"),)),), privacy_guard=replace(chosen, **guard))  # type: ignore[arg-type]
    return Settings(cameras=(camera,), models=Models(threads=1, custom=CustomModel(str(net), classes=1)))


class Adapter(Protocol):
    """`feed` lets one more frame in; `out` is everything that has come out so far, as pictures; `frames` as guarded
    frames, where the adapter hands out such. `lends` says that `feed` reuses one buffer for all frames.
    """

    lends: bool
    plugin: GuardPlugin
    out: list[NDArray[np.uint8]]
    frames: list[object]

    def feed(self) -> None: ...

    def stop(self) -> None: ...

    def configure(self, settings: Settings) -> None: ...

    def health(self) -> Health: ...


class InPlugin:
    """A host of one's own: `create_plugin` and the hooks."""

    lends = True
    name = "test"

    def __init__(self, chosen: Settings) -> None:
        self.plugin = create_plugin(self, chosen)
        self.plugin.on_stream_start("lobby", "1")
        self.out: list[NDArray[np.uint8]] = []
        self.frames: list[object] = []
        self._seq = 0
        self._buffer = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)

    def metadata(self, camera: str, kind: str, payload: dict[str, object]) -> None:
        """Not looked at."""

    def feed(self) -> None:
        self._buffer[...] = picture(self._seq)
        frame = Frame("1", self._seq, None, time.time(), PixelFormat.BGR24, (SIDE_PX, SIDE_PX), (self._buffer,))
        self._take(self.plugin.on_frame("lobby", frame))
        self._buffer[...] = picture(self._seq)[:, ::-1]  # the host reuses its memory at once, clear walker and all
        self._seq += 1
        time.sleep(FRAME_S)

    def _take(self, guarded: list[GuardedFrame]) -> None:
        self.frames += guarded
        self.out += [frame.to_bgr() for frame in guarded]

    def stop(self) -> None:
        self._take(self.plugin.on_stream_stop("lobby", "1"))
        self.plugin.close()

    def configure(self, settings: Settings) -> None:
        self.plugin.on_settings(settings)

    def health(self) -> Health:
        return self.plugin.health()


class _Kept:
    """Outputs that keep what they are given."""

    def __init__(self, adapter: Standalone) -> None:
        self._adapter = adapter

    def write(self, guarded: GuardedFrame) -> None:
        if not isinstance(guarded, GuardedFrame):
            raise GuardError("sinks take guarded frames only")
        self._adapter.frames.append(guarded)
        self._adapter.out.append(guarded.to_bgr())
        self._adapter.came.set()

    def write_audio(self, packet: object) -> None:
        raise AssertionError("the clip has none")

    def close(self) -> None:
        self._adapter.closed = True


class Standalone:
    """`aipg run` without the process: a clip in, a sink that keeps what it gets."""

    lends = False

    def __init__(self, chosen: Settings, patch: pytest.MonkeyPatch) -> None:
        self.out: list[NDArray[np.uint8]] = []
        self.frames: list[object] = []
        self.came = threading.Event()
        self.closed = False
        patch.setattr(GuardPlugin, "open_outputs", lambda *_: _Kept(self))
        self._host = StandaloneHost(chosen)
        self.plugin = self._host.plugin
        self._host.start()

    def feed(self) -> None:
        self.came.clear()
        assert self.came.wait(20)

    def stop(self) -> None:
        self._host.stop()
        assert self.closed

    def configure(self, settings: Settings) -> None:
        self.plugin.on_settings(settings)

    def health(self) -> Health:
        return self.plugin.health()


class InViseron:
    """The component in the double of Viseron; what comes out is what others read of the store."""

    lends = True

    def __init__(self, chosen: Settings) -> None:
        from aipg_plugin.hosts.viseron.component import ViseronHost
        from aipg_plugin.hosts.viseron.safety import Ours, SourceJudge

        viseron.install()
        self._camera = double.Camera("lobby", (SIDE_PX, SIDE_PX))
        ours = Ours(chosen, (), {})
        self._host = ViseronHost(ours, SourceJudge(ours))
        self._host.gate.wrap(double.SharedFrames)
        self.plugin = self._host.plugin
        self.out: list[NDArray[np.uint8]] = []
        self.frames: list[object] = []
        self._index = 0
        self._buffer = bytearray(SIDE_PX * SIDE_PX * 3 // 2)

    def feed(self) -> None:
        self._buffer[:] = cv2.cvtColor(picture(self._index), cv2.COLOR_BGR2YUV_I420).tobytes()
        frame = self._camera.decoded(memoryview(self._buffer), "yuv420p")  # type: ignore[arg-type]
        self._buffer[:] = cv2.cvtColor(picture(self._index)[:, ::-1], cv2.COLOR_BGR2YUV_I420).tobytes()
        stored = self._camera.shared_frames.get_decoded_frame(frame)
        self.out.append(np.asarray(cv2.cvtColor(stored, cv2.COLOR_YUV2BGR_I420), np.uint8))
        self._index += 1
        time.sleep(FRAME_S)

    def stop(self) -> None:
        self._host.close()

    def configure(self, settings: Settings) -> None:
        self.plugin.on_settings(settings)

    def health(self) -> Health:
        return self.plugin.health()


Make = Callable[[Settings], Adapter]


def makers(folder: Path, patch: pytest.MonkeyPatch) -> dict[str, tuple[Make, Settings]]:
    """For each adapter: how to make it, and settings that fit it."""
    net, clip = folder / "walker.onnx", folder / "walk.mp4"
    if not clip.exists():
        walker_net(net)
        write_walk(clip)
    return {"plugin": (InPlugin, settings(net)), "viseron": (InViseron, settings(net)),
            "standalone": (lambda chosen: Standalone(chosen, patch), settings(net, str(clip)))}
