"""No user name, password or token of a URL may be shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.media.urls import SourceKind, redacted_url, source_kind

SECRET = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="-_.!$%:"), min_size=6)


@given(SECRET, SECRET)
def test_userinfo_never_stays(user: str, password: str) -> None:
    shown = redacted_url(f"cannot open rtsp://Q{user}Z:Q{password}Z@192.0.2.7:554/stream1: refused")
    assert shown == "cannot open rtsp://***@192.0.2.7:554/stream1: refused"


@given(SECRET, st.sampled_from(["password", "pwd", "user", "loginpas", "token", "access_token", "key", "sig"]))
def test_secret_query_values_never_stay(secret: str, key: str) -> None:
    shown = redacted_url(f"http://192.0.2.7/video.cgi?channel=1&{key}=Q{secret}Z&size=2")
    assert f"Q{secret}Z" not in shown
    assert "channel=1" in shown
    assert shown.endswith("&size=2")


def test_an_at_sign_in_the_password_does_not_leak_its_tail() -> None:
    assert redacted_url("rtsp://me:pa@ss@cam/1") == "rtsp://***@cam/1"


def test_text_without_secrets_is_unchanged() -> None:
    for text in ("", "rtsp://cam:554/1", "/videos/a@b.mp4", "http://cam/x?channel=2"):
        assert redacted_url(text) == text


@pytest.mark.parametrize(("url", "kind"), [
    ("rtsp://cam/1", SourceKind.RTSP), ("RTSPS://cam/1", SourceKind.RTSP), ("http://cam/v.ts", SourceKind.NETWORK),
    ("https://cam/v.m3u8", SourceKind.NETWORK), ("0", SourceKind.WEBCAM), ("/dev/video2", SourceKind.WEBCAM),
    ("a.JPG", SourceKind.IMAGE), ("a.mp4", SourceKind.FILE), ("file:///a.mkv", SourceKind.FILE)])
def test_kinds(url: str, kind: SourceKind) -> None:
    assert source_kind(url) is kind


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert source_kind(str(tmp_path)) is SourceKind.FOLDER
