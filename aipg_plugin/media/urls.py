"""What kind of source a URL names, and the local path of one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote

from aipg_plugin.credentials import revealed

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".avif"})


class SourceKind(StrEnum):
    """Kinds of sources, by how they are opened."""

    FILE = "file"
    IMAGE = "image"
    FOLDER = "folder"
    RTSP = "rtsp"
    NETWORK = "network"
    WEBCAM = "webcam"


def source_kind(url: str) -> SourceKind:
    """Kind of a source: scheme first, then digits or /dev/video* for webcams, then what lies on the disk."""
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme in {"rtsp", "rtsps"}:
        return SourceKind.RTSP
    if scheme not in {"", "file"}:
        return SourceKind.NETWORK
    if url.isdigit() or url.startswith("/dev/video"):
        return SourceKind.WEBCAM
    path = local_path(url)
    if path.is_dir():
        return SourceKind.FOLDER
    return SourceKind.IMAGE if path.suffix.lower() in IMAGE_SUFFIXES else SourceKind.FILE


def local_path(url: str) -> Path:
    """The path that a plain path or a `file://` URL (RFC 8089: %20 and the like are decoded) names."""
    url = revealed(url)
    if not url.lower().startswith("file://"):
        return Path(url)
    rest = url[len("file://"):]
    if not rest.startswith("/") and "/" in rest:
        rest = rest.removeprefix("localhost")
    return Path(unquote(rest))


def file_url(path: Path) -> str:
    """A path as a URL that nothing else than this file can be meant by, whatever its name looks like."""
    return path.absolute().as_uri()


def for_ffmpeg(path: Path) -> str:
    """A path as FFmpeg takes it for a file, even if it has a colon, looks like a URL or starts with `-`."""
    return f"file:{path}"
