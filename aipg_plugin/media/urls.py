"""What kind of place a URL names."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


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
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
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
    """The path a `file://` URL or a plain path names."""
    return Path(url.removeprefix("file://"))
