"""What kind of place a URL names."""

from pathlib import Path

import pytest

from aipg_plugin.media.urls import SourceKind, file_url, for_ffmpeg, local_path, source_kind


@pytest.mark.parametrize(("url", "kind"), [
    ("rtsp://cam/1", SourceKind.RTSP), ("RTSPS://cam/1", SourceKind.RTSP), ("http://cam/v.ts", SourceKind.NETWORK),
    ("https://cam/v.m3u8", SourceKind.NETWORK), ("0", SourceKind.WEBCAM), ("/dev/video2", SourceKind.WEBCAM),
    ("a.JPG", SourceKind.IMAGE), ("a.mp4", SourceKind.FILE), ("file:///a.mkv", SourceKind.FILE)])
def test_kinds(url: str, kind: SourceKind) -> None:
    assert source_kind(url) is kind


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert source_kind(str(tmp_path)) is SourceKind.FOLDER


@pytest.mark.parametrize("name", ["a b%.mp4", "12:45.mp4", "rtsp:x.mp4", "-v.mp4", "0", "ü🎥.mp4", "%41.mp4",
                                  "a@b:c.mp4"])
def test_a_files_url_means_that_file_only(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = file_url(Path(name))
    assert local_path(url) == tmp_path / name
    assert source_kind(url) is SourceKind.FILE
    assert for_ffmpeg(Path(name)) == f"file:{name}"


@pytest.mark.parametrize(("url", "path"), [
    ("file:///a%20b.mp4", "/a b.mp4"), ("file://localhost/a.mp4", "/a.mp4"), ("FILE:///a.mp4", "/a.mp4"),
    ("a%20b.mp4", "a%20b.mp4"), ("file:a.mp4", "file:a.mp4")])
def test_paths_of_urls(url: str, path: str) -> None:
    assert local_path(url) == Path(path)
