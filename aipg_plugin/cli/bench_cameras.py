"""`aipg bench --cameras`: how many cameras this machine carries, by the processor time that one takes."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import PersonNet
from aipg_plugin.frames import Frame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.guard.evidence import Evidence
from aipg_plugin.guard.looks import Shown
from aipg_plugin.guard.service import usable_cores
from aipg_plugin.hosts.offline import open_video
from aipg_plugin.media.encoder import Encoder, EncoderSpec
from aipg_plugin.media.pictures import to_picture
from aipg_plugin.options import Output, OutputKind, Web
from aipg_plugin.scene.picture import LookPicture

_FULL_SHARE = 0.85    # of the cores that are filled: the rest is for what comes and goes
_SLOW_RATE = 0.5      # of the looks' rate at which masks are wider and the state says degraded
_SETTLED_S = 2.0      # of the clip, with the first full sweep, that do not count (half of a shorter one)


@dataclass(frozen=True)
class Capacity:
    """What one camera like the clip takes, in cores, and how many this machine carries.

    `video` decodes, masks and encodes; `looks` finds people `detect_hz` times a second. `cameras` at that rate,
    `cameras_slower` at half of it.
    """

    cores: int
    size_wh: tuple[int, int]
    fps: float
    video: float
    looks: float
    cameras: int
    cameras_slower: int

    @property
    def text(self) -> str:
        """In one sentence or two."""
        w, h = self.size_wh
        return (f"a camera like this clip ({w}x{h}, {self.fps:.0f} fps) takes {self.video + self.looks:.2f} cores: "
                f"{self.video:.2f} for the video, {self.looks:.2f} for looking. This machine with {self.cores} cores "
                f"carries {self.cameras} of them, and {self.cameras_slower} with half as many looks (wider masks)")


def capacity(cores: int, size_wh: tuple[int, int], fps: float, video: float, looks: float) -> Capacity:
    """How many cameras that take so many cores each go into `cores`."""
    room = cores * _FULL_SHARE

    def carried(each: float) -> int:
        return int(room / max(each, 1e-6))

    return Capacity(cores, size_wh, round(fps, 2), round(video, 3), round(looks, 3), carried(video + looks),
                    carried(video + _SLOW_RATE * looks))


class _Inline:
    """Looks in the caller's thread, their processor time counted (`observer.LookWorker`)."""

    spent_s = 0.0

    def __init__(self, evidence: Evidence, _name: str) -> None:
        self._evidence = evidence

    def wants(self, t_s: float, *, urgent: bool = False) -> bool:
        """Whether a look is due; what is urgent is looked at once more a period at the most, live as here."""
        return self._evidence.due(t_s + self._evidence.period_s / 2 if urgent else t_s)

    def offer(self, picture: LookPicture, t_s: float, shown: Shown) -> None:
        """Look."""
        start_s = time.process_time()
        self._evidence.see(picture, t_s, shown)
        _Inline.spent_s += time.process_time() - start_s

    def close(self, _timeout_s: float = 0.0) -> None:
        """Nothing runs."""


def measure(clip: Path, net: PersonNet, *, quiet: bool = False) -> Capacity:
    """Guard a clip as a camera, frame by frame, and count. Raises MediaError where it cannot be read."""
    import tqdm

    camera = settings_for(str(clip), Web()).cameras[0]
    guard = make_guard(camera, net, live=True, make_worker=_Inline)
    _Inline.spent_s = spent_s = looks_s = 0.0
    frames, fps, size_wh = 0, 10.0, (0, 0)
    with open_video(clip, "1") as source:
        fps = source.info.fps or fps
        size_wh = source.info.size_wh
        encoder = Encoder(Output(OutputKind.FILE), EncoderSpec.of(source.info, live=True))
        bar = tqdm.tqdm(total=source.info.frame_count, desc="one camera", unit="frame", file=sys.stderr, leave=False,
                        disable=quiet)
        settled_s = min(_SETTLED_S, (source.info.duration_s or 2 * _SETTLED_S) / 2)
        before_s = time.process_time()
        for number, frame in enumerate(item for item in source if isinstance(item, Frame)):
            for guarded in guard.process(replace(frame, pts_s=number / fps, wall_time_s=number / fps)):
                encoder.encode(to_picture(guarded), guarded.seq / fps)
            if number / fps >= settled_s:
                frames += 1
                spent_s += time.process_time() - before_s
                looks_s += _Inline.spent_s
            before_s, _Inline.spent_s = time.process_time(), 0.0
            bar.update()
        bar.close()
    guard.close()
    seconds = max(1, frames) / fps
    return capacity(usable_cores(), size_wh, fps, (spent_s - looks_s) / seconds, looks_s / seconds)


def as_json(found: Capacity, net: PersonNet) -> dict[str, object]:
    """For JSON."""
    return {**asdict(found), "model": net.name, "provider": net.provider}
