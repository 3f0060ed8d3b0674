"""Credentials never reach a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.credentials import redacted, redacted_url


@pytest.mark.parametrize(("text", "expected"), [
    ("rtsp://admin:hunter2@192.0.2.1:554/a?b=1", "rtsp://admin:***@192.0.2.1:554/a?b=1"),
    ("rtsp://admin:p@ss:w@192.0.2.1/a", "rtsp://admin:***@192.0.2.1/a"),
    ("rtsp://:hunter2@host/", "rtsp://:***@host/"),
    ("rtsp://admin@host/", "rtsp://admin@host/"),
    ("http://host/a?user=u&password=p&x=1#f", "http://host/a?user=***&password=***&x=1#f"),
    ("http://host/a?loginPwd=p;access_token=t", "http://host/a?loginPwd=***;access_token=***"),
    ("cannot open rtsp://a:b@h/1 and rtsp://c:d@h/2", "cannot open rtsp://a:***@h/1 and rtsp://c:***@h/2"),
    ("http://host/keyboard?monkey=1", "http://host/keyboard?monkey=***"),
    ("http://h/a?pass2=p&api-key=k&a.token=t", "http://h/a?pass2=***&api-key=***&a.token=***"),
    ("http://h/a?tokenid=i&login=l", "http://h/a?tokenid=***&login=***"),
    ("http://me:a/b@c@cam/1", "http://me:***@cam/1"), ("rtsp://cam:554/a@b", "rtsp://cam:554/a@b"),
    ("clip.mp4", "clip.mp4"), ("a@b.org wrote: c", "a@b.org wrote: c"), ("", "")])
def test_redacted(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(expected) == expected


@given(st.text(st.characters(exclude_characters="/?# \t\r\n", exclude_categories=("Cs", "Z", "Cc")), min_size=3))
def test_no_password_survives(password: str) -> None:
    assert redacted(f"error at rtsp://user:{password}@host/stream") == "error at rtsp://user:***@host/stream"


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
    for password in ("pa@ss", "pa/ss", "p/a@s/s"):
        assert redacted_url(f"rtsp://me:{password}@cam/1") == "rtsp://***@cam/1"


def test_text_without_secrets_is_unchanged() -> None:
    for text in ("", "rtsp://cam:554/1", "/videos/a@b.mp4", "rtsp://cam:554/a@b", "http://cam/x?channel=2"):
        assert redacted_url(text) == text
