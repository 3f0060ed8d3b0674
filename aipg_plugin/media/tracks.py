"""Which tracks of a container are used, and in words what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from av.stream import Disposition

_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True)
class Tracks:
    """The video and audio track used (None if there is none), and one short text for each other track."""

    video: Any
    audio: Any
    left_out: tuple[str, ...]


def choose_tracks(container: Any) -> Tracks:
    """The default video and audio track, else the first of its kind. Cover pictures and thumbnails are no video."""
    video = _default([track for track in container.streams.video if not track.disposition & _NO_VIDEO])
    audio = _default(list(container.streams.audio))
    others = [track for track in container.streams if track not in (video, audio)]
    return Tracks(video, audio, tuple(_words(track) for track in others))


def _default(tracks: list[Any]) -> Any:
    return next((track for track in tracks if track.disposition & Disposition.default), tracks[0] if tracks else None)


def _words(track: Any) -> str:
    """For example `video track 2 (mjpeg 640x480)`; tracks count from 1, as players and mkvtoolnix do."""
    context: Any = getattr(track, "codec_context", None)
    codec = getattr(context, "name", None) or "unknown"
    if track.type == "video":
        kind = "cover picture" if track.disposition & _NO_VIDEO else "video"
        return f"{kind} track {track.index + 1} ({codec} {context.width}x{context.height})"
    return f"{track.type} track {track.index + 1} ({codec})"
