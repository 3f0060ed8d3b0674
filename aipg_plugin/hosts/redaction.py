"""Masks a video file in stages that run at the same time: decoding, looking, masking, and (with the caller) encoding.

A frame waits until `SUFFICES_S` (4 s) of what follows have been looked at. Its picture waits with it where that takes
little memory; where it would take more, a second decoder follows the first one and decodes it again. What comes out
does not depend on which, nor on how fast the stages run: each takes what the one before hands it, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.guard import Guard
from aipg_plugin.guard.planned import Planned
from aipg_plugin.guard.stream import Admitted
from aipg_plugin.hosts.stages import ahead
from aipg_plugin.media.info import AudioPacket
from aipg_plugin.media.source import VideoSource
from aipg_plugin.tracking.hindsight import SUFFICES_S

KEPT_BYTES = 256 * 2**20  # of pictures that wait; more are decoded twice
_PICTURES_AHEAD = 4       # between two stages
_MOST_DECODED_AGAIN = 2000  # frames that wait without their pictures
_USUAL_FPS = 25.0         # of a file that does not say

class Redaction:
    """One file's way through the guard. `frames` of it have come in, and span `seen_s`."""

    def __init__(self, source: VideoSource, again: Callable[[], VideoSource], make_guard: Callable[[int], Guard], *,
                 kept_bytes: int = KEPT_BYTES) -> None:
        """`again` opens the same file once more; `make_guard` a guard in which so many frames may wait."""
        self._source, self._again = source, again
        w, h = source.info.size_wh
        affordable = kept_bytes // max(1, w * h * 3 // 2)
        self.keeps_pictures = affordable >= SUFFICES_S * (source.info.fps or _USUAL_FPS)
        self.guard = make_guard(affordable if self.keeps_pictures else _MOST_DECODED_AGAIN)
        self._stream = self.guard.stream(self.guard.camera.streams[0].id)
        self.frames = 0
        self._times_s: list[float] = []

    @property
    def seen_s(self) -> float:
        """Seconds from the first picture to the end of the last; infinite if the file has no times."""
        times_s = self._times_s
        return times_s[-1] - times_s[0] + 1 / (self._source.info.fps or _USUAL_FPS) if times_s else float("inf")

    def run(self, *, sound: bool) -> Iterator[tuple[GuardedFrame | AudioPacket, float]]:
        """Every frame, guarded, with its masked share, and with `sound` the audio between, in the order of the file.

        Raises MediaError when the file cannot be read, or reads differently the second time.
        """
        with ExitStack() as stages:
            stages.enter_context(self._stream.planning_beside_looks())
            admitted = stages.enter_context(ahead(self._admitted(sound=sound), _PICTURES_AHEAD, "decode"))
            again = None
            if not self.keeps_pictures:
                second = stages.enter_context(self._again())
                again = stages.enter_context(ahead(_frames(second), _PICTURES_AHEAD, "decode again"))
            planned = stages.enter_context(ahead(self._planned(admitted), _PICTURES_AHEAD, "look"))
            yield from stages.enter_context(ahead(self._painted(planned, again), _PICTURES_AHEAD, "mask"))

    def _admitted(self, *, sound: bool) -> Iterator[Admitted | AudioPacket]:
        heard: list[AudioPacket] = []
        self._source.on_audio = heard.append if sound else None
        for frame in _frames(self._source):
            yield from heard
            heard.clear()
            self.frames += 1
            if frame.pts_s is not None:
                self._times_s = [*self._times_s[:1], frame.pts_s]
            yield self._stream.admit(frame, keep=self.keeps_pictures)
        yield from heard

    def _planned(self, admitted: Iterator[Admitted | AudioPacket]) -> Iterator[Planned | AudioPacket]:
        for item in admitted:
            if isinstance(item, AudioPacket):
                yield item
                continue
            yield from self._stream.plan_admitted(item, keep=self.keeps_pictures)
        yield from self._stream.plan_rest()

    def _painted(self, planned: Iterator[Planned | AudioPacket],
                 again: Iterator[Frame] | None) -> Iterator[tuple[GuardedFrame | AudioPacket, float]]:
        for item in planned:
            if isinstance(item, AudioPacket):
                yield item, 0.0
                continue
            guarded = self._stream.paint(item, None if again is None else _same(item, next(again, None)))
            yield guarded, self._stream.stats.masked_share


def _same(planned: Planned, picture: Frame | None) -> Frame:
    if picture is None or (picture.seq, picture.pts_s) != (planned.frame.seq, planned.frame.pts_s):
        raise MediaError("the file reads differently the second time",
                         cure="Copy it to a disk of this computer, and let nothing write to it meanwhile")
    return picture


def _frames(source: VideoSource) -> Iterator[Frame]:
    return (item for item in source if isinstance(item, Frame))
