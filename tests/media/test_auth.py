"""Log-ins over RTSP: whose digest, for what, how often."""

from __future__ import annotations

import re
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.media.attempts import LoginAttempts
from aipg_plugin.media.auth import Authenticator, ConnectionLogin, authorization, basic_ok
from aipg_plugin.media.rtspmessages import MalformedRequestError, parse_head, stream_name

URL = "rtsp://192.0.2.7:8554/lobby/1"


def login(attempts: LoginAttempts | None = None) -> ConnectionLogin:
    return Authenticator("me", "s3:crét", attempts or LoginAttempts()).connection("192.0.2.1")


def same(uri: str) -> bool:
    return stream_name(uri) == "lobby/1"


def answer(subject: ConnectionLogin, method: str = "DESCRIBE", uri: str = URL, password: str = "s3:crét", *,
           qop: bool = False, count: int = 1) -> str:
    challenge = subject.challenges()[0] + (', qop="auth"' if qop else "")
    return authorization([challenge], method, uri, "me", password, count=count)


@pytest.mark.parametrize("qop", [False, True])
def test_the_right_digest_is_admitted(qop: bool) -> None:
    subject = login()
    assert subject.ok(answer(subject, qop=qop), "DESCRIBE", same)
    assert subject.ok(answer(subject, "SETUP", URL + "/trackID=0", qop=qop, count=2), "SETUP", same)
    assert subject.ok(answer(subject, "PLAY", URL + "/", qop=qop, count=3), "PLAY", same)
    assert subject.failures == 0


def test_a_digest_holds_on_its_own_connection() -> None:
    attempts = LoginAttempts()
    first, second = login(attempts), login(attempts)
    overheard = answer(first)
    assert not second.ok(overheard, "DESCRIBE", same)
    assert "stale=true" in second.challenges()[0]
    assert attempts.failures == 0
    assert first.ok(overheard, "DESCRIBE", same)


def test_a_counted_digest_holds_once() -> None:
    subject = login()
    counted = answer(subject, qop=True, count=5)
    assert subject.ok(counted, "DESCRIBE", same)
    assert not subject.ok(counted, "DESCRIBE", same)
    assert not subject.ok(answer(subject, qop=True, count=4), "DESCRIBE", same)
    assert subject.ok(answer(subject, qop=True, count=6), "DESCRIBE", same)


def test_a_digest_of_another_stream_or_method_is_refused() -> None:
    subject = login()
    assert not subject.ok(answer(subject, uri="rtsp://192.0.2.7:8554/hall/1"), "DESCRIBE", same)
    assert not subject.ok(answer(subject, "OPTIONS"), "DESCRIBE", same)


def test_wrong_passwords_count() -> None:
    attempts = LoginAttempts(burst=3)
    for guess in range(3):
        subject = login(attempts)
        assert subject.wait_s() == 0
        assert not subject.ok(answer(subject, password=f"guess {guess}"), "DESCRIBE", same)
    assert login(attempts).wait_s() > 0


HEADER = st.one_of(st.text(max_size=80), st.builds(
    lambda scheme, rest: f"{scheme} {rest}", st.sampled_from(["Basic", "Digest", "digest"]),
    st.lists(st.builds(lambda key, value: f'{key}="{value}"',
                       st.sampled_from(["username", "nonce", "uri", "response", "qop", "nc", "cnonce", "algorithm"]),
                       st.one_of(st.text(max_size=12), st.sampled_from(["me", "auth", "MD5", URL, "nan", "0000000g"]))),
             max_size=8).map(", ".join)))


@given(HEADER)
def test_no_header_breaks_it_or_gets_in(header: str) -> None:
    subject = login()
    nonce = re.findall('nonce="(.*?)"', subject.challenges()[0])[0]
    for text in (header, header.replace('nonce="', f'nonce="{nonce}", x="')):
        assert subject.ok(text, "DESCRIBE", lambda uri: True) is False
        assert basic_ok(text, "me", "s3:crét") is False


def test_basic_takes_other_alphabets() -> None:
    header = "Basic " + b64encode("me:s3:crét".encode()).decode()
    assert basic_ok(header, "me", "s3:crét")
    assert login().ok(header, "DESCRIBE", same)


@given(st.one_of(st.binary(max_size=300), st.builds(
    lambda start, lines: "\r\n".join([start, *lines, "", ""]).encode("latin-1", "replace"),
    st.one_of(st.text(max_size=40), st.sampled_from([
        f"DESCRIBE {URL} RTSP/1.0", "OPTIONS * RTSP/1.0", "OPTIONS rtsp://[ RTSP/1.0"])),
    st.lists(st.one_of(st.text(max_size=40), st.sampled_from([
        "CSeq: 1", "CSeq: nan", "CSeq: ²", "Content-Length: -1", "Content-Length: 1e3", "Session: x"])), max_size=6))))
def test_a_head_is_understood_or_refused(head: bytes) -> None:
    try:
        request, length = parse_head(head)
    except MalformedRequestError:
        return
    assert 0 <= length <= 65_536
    assert re.fullmatch("[0-9]{1,10}", request.headers.get("cseq", "0"))
    assert not re.search(r"[\x00-\x20\x7f-\xff]", request.url + request.method)
    assert isinstance(request.path, str)
