"""What kind of place a URL names."""

from pathlib import Path

import pytest

from aipg_plugin.media.urls import SourceKind, source_kind


@pytest.mark.parametrize(("url", "kind"), [
    ("rtsp://cam/1", SourceKind.RTSP), ("RTSPS://cam/1", SourceKind.RTSP), ("http://cam/v.ts", SourceKind.NETWORK),
    ("https://cam/v.m3u8", SourceKind.NETWORK), ("0", SourceKind.WEBCAM), ("/dev/video2", SourceKind.WEBCAM),
    ("a.JPG", SourceKind.IMAGE), ("a.mp4", SourceKind.FILE), ("file:///a.mkv", SourceKind.FILE)])
def test_kinds(url: str, kind: SourceKind) -> None:
    assert source_kind(url) is kind


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert source_kind(str(tmp_path)) is SourceKind.FOLDER
