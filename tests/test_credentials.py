"""Credentials never reach a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.credentials import redacted


@pytest.mark.parametrize(("text", "expected"), [
    ("rtsp://admin:hunter2@192.0.2.1:554/a?b=1", "rtsp://admin:***@192.0.2.1:554/a?b=1"),
    ("rtsp://admin:p@ss:w@192.0.2.1/a", "rtsp://admin:***@192.0.2.1/a"),
    ("rtsp://:hunter2@host/", "rtsp://:***@host/"),
    ("rtsp://admin@host/", "rtsp://admin@host/"),
    ("http://host/a?user=u&password=p&x=1#f", "http://host/a?user=***&password=***&x=1#f"),
    ("http://host/a?loginPwd=p;access_token=t", "http://host/a?loginPwd=***;access_token=***"),
    ("cannot open rtsp://a:b@h/1 and rtsp://c:d@h/2", "cannot open rtsp://a:***@h/1 and rtsp://c:***@h/2"),
    ("http://host/keyboard?monkey=1", "http://host/keyboard?monkey=***"),
    ("clip.mp4", "clip.mp4"), ("a@b.org wrote: c", "a@b.org wrote: c"), ("", "")])
def test_redacted(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(expected) == expected


@given(st.text(st.characters(exclude_characters="/?# \t\r\n", exclude_categories=("Cs", "Z", "Cc")), min_size=3))
def test_no_password_survives(password: str) -> None:
    assert redacted(f"error at rtsp://user:{password}@host/stream") == "error at rtsp://user:***@host/stream"
