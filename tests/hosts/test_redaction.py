"""The stages of `redact`: the same comes out as one after the other, little is held, and no fault shows anybody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aipg_plugin.errors import MediaError, SourceError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.guard import Guard
from aipg_plugin.hosts import offline
from aipg_plugin.hosts.redaction import Redaction
from aipg_plugin.media.info import AudioPacket, StreamInfo
from aipg_plugin.options import Output, OutputKind
from tests.guard.scenes import FPS, SIZE_WH, camera, clear_share, frame, guard
from tests.media.clips import write_clip

BYTES = SIZE_WH[0] * SIZE_WH[1] * 3 // 2
HINDSIGHT_S = 4.0
CHANCE = 0.1
WHOLE, NOTHING = 10**9, 0  # memory for pictures that wait


class Source:
    """Frames as a file's, one buffer for all of them, as a decoder may have it; `fails_at` breaks it off there."""

    def __init__(self, frames: list[Frame], *, fails_at: int | None = None,
                 sounds: dict[int, AudioPacket] | None = None) -> None:
        self.info = StreamInfo(SIZE_WH, fps=float(FPS))
        self.on_audio: Callable[[AudioPacket], None] | None = None
        self.dropped = 0
        self.closed = False
        self._frames, self._fails_at, self._sounds = frames, fails_at, sounds or {}

    def __iter__(self) -> Iterator[Frame]:
        for index, one in enumerate(self._frames):
            if index == self._fails_at:
                raise SourceError("it broke off")
            if index in self._sounds and self.on_audio is not None:
                self.on_audio(self._sounds[index])
            yield one

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


def redaction(frames: list[Frame], *, kept_bytes: int = WHOLE, second: list[Frame] | None = None,
              fails_at: int | None = None, fault: Callable[[int], object] = lambda look: None,
              **source: Any) -> Redaction:
    def make(most: int) -> Guard:
        return guard(camera(), fault, hindsight_s=HINDSIGHT_S, most_waiting=most)
    return Redaction(Source(frames, fails_at=fails_at, **source), lambda: Source(frames if second is None else second),
                     make, kept_bytes=kept_bytes)


def walk(count: int = 120) -> list[Frame]:
    return [frame(index) for index in range(count)]


def pictures(subject: Redaction) -> list[GuardedFrame]:
    return [item for item, _ in subject.run(sound=False) if isinstance(item, GuardedFrame)]


def stages() -> list[str]:
    ours = {"decode", "decode again", "look", "mask", "plan_0"}
    return [thread.name for thread in threading.enumerate() if thread.name in ours]


@pytest.fixture(autouse=True)
def _all_stages_end() -> Iterator[None]:
    yield
    assert stages() == []


@pytest.mark.parametrize("kept_bytes", [WHOLE, NOTHING], ids=["kept", "decoded again"])
def test_the_same_comes_out_as_one_after_the_other(kept_bytes: int) -> None:
    frames = walk()
    alone = guard(camera(), hindsight_s=HINDSIGHT_S, most_waiting=2000)
    wanted = [guarded for one in frames for guarded in alone.process(one)] + alone.flush("1")
    subject = redaction(frames, kept_bytes=kept_bytes)
    assert subject.keeps_pictures == (kept_bytes == WHOLE)
    out = pictures(subject)
    assert [(one.seq, one.state, one.pts_s) for one in out] == [(one.seq, one.state, one.pts_s) for one in wanted]
    for one, other in zip(out, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.planes, other.planes, strict=True))
    assert max(clear_share(guarded, one) for guarded, one in zip(out, frames, strict=True)) < CHANCE


@pytest.mark.parametrize("kept_bytes", [WHOLE, NOTHING], ids=["kept", "decoded again"])
def test_no_more_is_read_than_hindsight_needs(kept_bytes: int) -> None:
    subject = redaction(walk(400), kept_bytes=kept_bytes)
    between = 6 * 4
    for taken, _ in enumerate(subject.run(sound=False), 1):
        assert subject.frames - taken <= HINDSIGHT_S * FPS + between


def test_no_more_pictures_wait_than_there_is_memory_for() -> None:
    """A file whose frames come five times as fast as it says."""
    frames = [replace(one, pts_s=index / (5 * FPS)) for index, one in enumerate(walk(150))]
    subject = redaction(frames, kept_bytes=45 * BYTES)
    assert subject.keeps_pictures
    for taken, _ in enumerate(subject.run(sound=False), 1):
        assert subject.frames - taken <= 45 + 6 * 4


def test_sound_keeps_its_place_between_the_pictures() -> None:
    sounds = {index: AudioPacket(b"x", index / FPS, 0.1) for index in (0, 30, 60)}
    told = [item for item, _ in redaction(walk(90), sounds=sounds).run(sound=True)]
    again = [item for item, _ in redaction(walk(90), sounds=sounds).run(sound=True)]
    order = [item.seq if isinstance(item, GuardedFrame) else -1 for item in told]
    assert order == [item.seq if isinstance(item, GuardedFrame) else -1 for item in again]
    assert [item for item in told if isinstance(item, AudioPacket)] == list(sounds.values())


@pytest.mark.parametrize("kept_bytes", [WHOLE, NOTHING], ids=["kept", "decoded again"])
def test_a_file_that_breaks_off_is_an_error_after_what_was_good(kept_bytes: int) -> None:
    subject = redaction(walk(), kept_bytes=kept_bytes, fails_at=100)
    with pytest.raises(SourceError, match="broke off"):
        pictures(subject)


@pytest.mark.parametrize("second", [walk(60), walk()[:70] + walk()[71:], [frame(0, pts_s=9.0), *walk()[1:]]],
                         ids=["shorter", "one missing", "another time"])
def test_a_file_that_reads_differently_the_second_time_is_an_error(second: list[Frame]) -> None:
    with pytest.raises(MediaError, match="differently"):
        pictures(redaction(walk(), kept_bytes=NOTHING, second=second))


def test_a_picture_of_another_size_the_second_time_is_blanked() -> None:
    second = [frame(index, size_wh=(160, 160)) if index == 50 else frame(index) for index in range(120)]
    out = pictures(redaction(walk(), kept_bytes=NOTHING, second=second))
    assert out[50].reason == "masking failed"
    assert clear_share(out[50], frame(50)) < CHANCE
    assert {one.state for one in out[:50] + out[51:]} == {"guarding"}


@pytest.mark.parametrize("kept_bytes", [WHOLE, NOTHING], ids=["kept", "decoded again"])
@pytest.mark.parametrize("where", ["aipg_plugin.guard.release.Release._plan", "aipg_plugin.guard.release._paint",
                                   "aipg_plugin.guard.stream.StreamGuard._intake",
                                   "aipg_plugin.guard.observer.Observer.observe",
                                   "aipg_plugin.masking.painter.MaskPainter.paint"])
def test_a_stage_that_fails_shows_nobody(where: str, kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    parts = where.split(".")
    owner: Any = importlib.import_module(".".join(parts[:3]))
    for name in parts[3:-1]:
        owner = getattr(owner, name)
    real, calls = getattr(owner, parts[-1]), iter(range(10**6))

    def failing(*args: object, **more: object) -> object:
        if 40 <= next(calls) < 60:
            raise ValueError("a fault")
        return real(*args, **more)

    monkeypatch.setattr(owner, parts[-1], failing)
    frames = walk()
    out = pictures(redaction(frames, kept_bytes=kept_bytes))
    assert [one.seq for one in out] == [one.seq for one in frames]
    assert max(clear_share(guarded, one) for guarded, one in zip(out, frames, strict=True)) < CHANCE


def test_looks_that_fail_mask_whole() -> None:
    frames = walk()
    out = pictures(redaction(frames, fault=lambda look: RuntimeError("no detector") if 20 <= look < 30 else None))
    assert max(clear_share(guarded, one) for guarded, one in zip(out, frames, strict=True)) < CHANCE
    assert "failsafe" in {one.state for one in out}


def test_what_is_no_ordinary_error_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object, **__: object) -> None:
        raise SystemExit(3)

    monkeypatch.setattr("aipg_plugin.guard.stream.StreamGuard.paint", dies)
    with pytest.raises(SystemExit):
        pictures(redaction(walk()))


def test_who_takes_may_stop_at_any_time() -> None:
    subject = redaction(walk(400))
    run = subject.run(sound=False)
    next(run)
    run.close()  # type: ignore[attr-defined]
    assert stages() == []
    assert subject.frames < 100


def test_an_output_that_fails_midway_leaves_nothing_and_ends_every_stage(tmp_path: Path,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    clip, written = write_clip(tmp_path / "in.mp4", frames=60), iter(range(10**6))

    def full(*_: object) -> None:
        if next(written) == 5:
            raise MediaError("cannot write: no space left on device")

    monkeypatch.setattr(offline, "make_guard", lambda settings, *_, most_waiting, **__: guard(
        settings, hindsight_s=HINDSIGHT_S, most_waiting=most_waiting))
    monkeypatch.setattr(offline.FileSink, "write", full)
    with pytest.raises(MediaError, match="no space"):
        offline.redact_video(clip, tmp_path / "out.mp4", camera(), SimpleNamespace(provider="cpu"),  # type: ignore[arg-type]
                             Output(OutputKind.FILE))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
    assert stages() == []


def test_a_file_that_shows_something_else_when_decoded_again_is_blanked_there() -> None:
    """It was written to between the two passes: the person of the second is elsewhere, at the same times."""
    frames = walk()
    second = [replace(frames[index + 40], seq=index, pts_s=frames[index].pts_s) if index >= 60 else frames[index]
              for index in range(80)]
    out = pictures(redaction(frames[:80], kept_bytes=NOTHING, second=second))
    assert [one.state for one in out[:60]] == [one.state for one in pictures(redaction(frames[:80]))[:60]]
    assert {one.state for one in out[60:]} == {"failsafe"}
    assert all(np.ptp(plane) == 0 for one in out[60:] for plane in one.planes)
