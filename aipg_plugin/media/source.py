"""Sources of frames: files and pictures as they lie, live streams through a reader thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from aipg_plugin.frames import Frame
from aipg_plugin.media.images import ImageSession
from aipg_plugin.media.info import AudioHandler, StreamInfo
from aipg_plugin.media.live import LiveSource, Lost, Returned
from aipg_plugin.media.polling import PolledSession
from aipg_plugin.media.session import AvSession, Session
from aipg_plugin.media.urls import SourceKind, local_path, source_kind
from aipg_plugin.media.webcam import WebcamSession
from aipg_plugin.options import Source

SourceItem = Frame | Lost | Returned


class VideoSource(Protocol):
    """A stream of frames. Iterate it once; `close` it when done (a `with` block does).

    Files yield frames only. Live sources also yield `Lost` (at once, then five times a second while it lasts, so
    that the guard can keep its stream alive) and `Returned` before the first frame after it. A frame whose
    `size_wh` or `format` differs from the last means that the stream changed. `on_audio`, when set before
    iterating, gets each encoded audio packet, on the thread that reads.
    """

    info: StreamInfo
    on_audio: AudioHandler | None

    def __iter__(self) -> Iterator[SourceItem]: ...

    def __enter__(self) -> VideoSource: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def dropped(self) -> int: ...

    def close(self) -> None: ...


def open_source(source: Source, stream_id: str, *, stop: threading.Event | None = None,
                live: bool = False) -> VideoSource:
    """Open a source. Raises MediaError naming the URL (without credentials), the reason and the cure.

    Network streams and webcams are always live; an address that gives one picture at a time is fetched every `poll_s`.
    With `live`, files are too if `source.realtime`: paced by their
    timestamps, the newest frame winning, and started again at the end if `source.loop`. Without it every frame
    of a file comes once, as fast as it is taken.
    """
    stop = stop or threading.Event()
    kind = source_kind(source.url)
    session = _open_session(source, kind, stop, live=live)
    polled = isinstance(session, PolledSession)
    if polled:
        source = replace(source, stall_timeout_s=max(source.stall_timeout_s, 3 * source.poll_s))
    endless = polled or kind in {SourceKind.RTSP, SourceKind.WEBCAM} or (
        kind is SourceKind.NETWORK and session.info.duration_s is None)

    def reopen() -> Session:
        return PolledSession(source, stop) if polled else _open_session(source, kind, stop, live=True)

    if endless:
        return LiveSource(session, stream_id, source, stop, reopen=reopen)
    if live and source.realtime:
        return LiveSource(session, stream_id, source, stop, reopen=reopen if source.loop else None, paced=True)
    return FileSource(session, stream_id, stop)


def _open_session(source: Source, kind: SourceKind, stop: threading.Event, *, live: bool) -> Session:
    if kind in {SourceKind.IMAGE, SourceKind.FOLDER}:
        return ImageSession(local_path(source.url))
    if kind is SourceKind.WEBCAM:
        return WebcamSession(source)
    session = AvSession(source, live=live or kind is not SourceKind.FILE)
    if kind is SourceKind.NETWORK and session.one_picture:
        session.close()
        return PolledSession(source, stop)
    return session


class FileSource:
    """Every frame of a file or folder, in order, with its own timestamps, read on the caller's thread."""

    def __init__(self, session: Session, stream_id: str, stop: threading.Event) -> None:
        self.info = session.info
        self.on_audio: AudioHandler | None = None
        self.session = session
        self._stream_id = stream_id
        self._stop = stop

    @property
    def dropped(self) -> int:
        """Always 0: a file is read as fast as its frames are taken."""
        return 0

    def __iter__(self) -> Iterator[Frame]:
        for seq, picture in enumerate(self.session.pictures(self.on_audio)):
            if self._stop.is_set():
                return
            yield Frame(self._stream_id, seq, picture.pts_s, time.time(), picture.format, picture.size_wh,
                        picture.planes)

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.session.close()
