"""Credentials never reach a text, and still open what they are for."""

from __future__ import annotations

import copy
import json
import pickle
import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aipg_plugin.credentials import Address, fill, redacted, revealed
from aipg_plugin.errors import SettingsError
from aipg_plugin.media.session import cannot_open
from aipg_plugin.options import Output, OutputKind, Source
from aipg_plugin.settings import to_dict, validate

TYPED = ["p@ss/word", "x y@z/q", "tab@#1", "Summer#2024", "a[b", "per%cent", "100%25", "?&=;:", "ünï", "::", "a]b", "p://x@y",
         "12/x", "80?x@y", 'quo"te', "back\\slash", "$${x}", "***"]
PASSWORD = st.one_of(st.sampled_from(TYPED), st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Co"), exclude_characters="\x00"), min_size=1, max_size=20))


@pytest.mark.parametrize(("text", "expected"), [
    ("rtsp://admin:hunter2@192.0.2.1:554/a?channel=1", "rtsp://***@192.0.2.1:554/a?channel=1"),
    ("rtsp://admin:p@ss:w@192.0.2.1/a", "rtsp://***@192.0.2.1/a"),
    ("rtsp://:hunter2@host/", "rtsp://***@host/"),
    ("rtsp://admin@host/", "rtsp://***@host/"),
    ("http://host/a?user=u&password=p&x=1#f", "http://host/a?user=***"),
    ("http://host/a?loginPwd=p;access_token=t", "http://host/a?loginPwd=***"),
    ("http://host/a?channel=1&pw=geheim&size=2", "http://host/a?channel=1&pw=***"),
    ("http://host/a?p=geheim", "http://host/a?p=***"),
    ("http://host/a?geheim", "http://host/a?***"),
    ("rtsp://host:554/user=x_password=y_channel=1_stream=0.sdp?real_stream", "rtsp://host:554/user=***"),
    ("rtsp://host:554/channel=1_password=y", "rtsp://host:554/channel=***"),
    ("cannot open rtsp://a:b@h/1 and rtsp://c:d@h/2", "cannot open rtsp://***@h/1 and rtsp://***@h/2"),
    ("rtsp://me:x y@z/q@cam/1: refused", "rtsp://***@cam/1: refused"),
    ("http://me:a/b@c@cam/1", "http://***@cam/1"),
    ("nest:?client_id=1&token=geheim", "nest:?client_id=1&token=***"), ("refused, pw=geheim;", "refused, pw=***;"),
    ("clip.mp4", "clip.mp4"), ("a@b.org wrote: c", "a@b.org wrote: c"), ("", ""),
    ("rtsp://cam:554/1", "rtsp://cam:554/1"), ("/videos/a@b.mp4", "/videos/a@b.mp4"),
    ("http://cam/x?channel=2", "http://cam/x?channel=2")])
def test_messages_are_redacted(text: str, expected: str) -> None:
    assert redacted(text) == expected
    assert redacted(expected) == expected


@given(PASSWORD)
def test_no_password_survives_in_a_message(password: str) -> None:
    assume(not re.search(r"[\n\r\x85\u2028\u2029]", password))
    assert redacted(f"error at rtsp://user:Q{password}Z@host/stream") == "error at rtsp://***@host/stream"


def test_a_message_without_end_is_not_read() -> None:
    assert redacted("a://" * 250_000) == "(1000000 characters)"


@pytest.mark.parametrize("text", [
    "clip.mp4", "rec:01@night.mp4", "/videos/a@b.mp4", "file:///a%20b.mp4", "/dev/video0", "0", "rtsp://cam:554/1", "rtsp://cam/a@b",
    "rtsp://[2001:db8::1]:554/1", "http://cam/snap.jpg?channel=2", "http://192.0.2.1:80/v?user=a&pwd=p@ss", "rtsp://cam/#1",
    "rtsp://admin:pa%40ss@cam/1", "rtsp://user:a;b=c&d@cam/1"])
def test_an_address_opens_as_it_was_written(text: str) -> None:
    assert Address(text).revealed() == text == revealed(Address(text))


@pytest.mark.parametrize(("text", "whole"), [
    ("rtsp://u:p@ss@cam/1", "rtsp://u:p%40ss@cam/1"), ("rtsp://u:a[b@cam/1", "rtsp://u:a%5Bb@cam/1"),
    ("rtsp://u:x y@cam/1", "rtsp://u:x%20y@cam/1"), ("rtsp://u:100%@cam/1", "rtsp://u:100%25@cam/1"),
    ("rtsp://u:ü@cam/1", "rtsp://u:%C3%BC@cam/1"), ("rtsp://cam/a b", "rtsp://cam/a%20b"),
    ("rtsp://cam/a\r\nX: y", "rtsp://cam/a%0D%0AX:%20y")])
def test_what_can_be_read_in_one_way_is_encoded(text: str, whole: str) -> None:
    assert Address(text).revealed() == whole


@pytest.mark.parametrize("text", [
    "rtsp://u:geheim/1@cam/1", "rtsp://u:geheim@a/1@cam/1", "rtsp://u:12/geheim@cam/1", "rtsp://u:geheim#1@cam/1",
    "rtsp://u:12#geheim@cam/1", "rtsp://u:12?geheim@cam/1", "rtsp://u:geheim?1@cam/1", "rtsp://u:geheim@", "rtsp://geheim:x/1",
    "rtsp://cam:99999/geheim", "rtsp:///geheim", "rtsp://[geheim/1", "rtsp://u:a@[geheim/1", "rtsp:u:geheim@cam/1",
    "rtsp://geheim:***@cam/1", "rtsp://u:1/2?geheim@cam/1"])
def test_what_cannot_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Address(text)
    assert "geheim" not in str(caught.value)
    assert caught.value.problems[0].cure


@pytest.mark.parametrize(("text", "shown"), [
    ("rtsp://u:geheim@cam:554/1", "rtsp://***@cam:554/1"), ("user:geheim/1@cam/1", "***@cam/1"),
    ("rtsp://cam/user=x_password=geheim_channel=1.sdp", "rtsp://cam/user=***"),
    ("http://cam/x?width=480&t=geheim&fps=5", "http://cam/x?width=480&t=***"), ("rtsp://cam/1#geheim", "rtsp://cam/1#***")])
def test_an_address_is_safe_as_text(text: str, shown: str) -> None:
    address = Address(text)
    source, output = Source(text), Output(OutputKind.RTSP_PUBLISH, text)
    for written in (str(address), repr(address), f"{address}", json.dumps(address), address + "", "%s" % address,  # noqa: UP031
                    "".join(address), address.lower(), repr(source), repr(output)):
        assert "geheim" not in written
    assert address == text != shown
    assert str(address) == shown
    assert str(copy.deepcopy(address)) == str(pickle.loads(pickle.dumps(address))) == shown
    assert copy.deepcopy(source) == source == Source(address) != Source(shown.replace("***@", "x@"))
    assert hash(source) == hash(Source(text))


def test_another_password_is_another_address() -> None:
    """A source is opened anew when only its password changes."""
    assert Source("rtsp://u:a@cam/1") != Source("rtsp://u:b@cam/1")
    assert len({Address("rtsp://u:a@cam/1"), Address("rtsp://u:b@cam/1"), Address("rtsp://u:a@cam/1")}) == 2


def settings_with(source: str, environ: dict[str, str]) -> object:
    return validate({"cameras": {"lobby": {
        "streams": {"1": {"source": source, "outputs": [{"kind": "rtsp_publish", "target": "rtsp://a:${PW}@h/1"}]}},
        "privacy_guard": {"enabled": False}}}}, environ=environ)


@given(user=PASSWORD, password=PASSWORD)
@example(user="a:b", password="a:b")
def test_a_variable_holds_a_password_as_it_is_typed(user: str, password: str) -> None:
    settings = settings_with("rtsp://${USER}:${PW}@cam:554/1", {"USER": user, "PW": password})
    stream = settings.cameras[0].streams[0]  # type: ignore[attr-defined]
    for address in (stream.source.url, stream.outputs[0].target):
        parts = urlsplit(revealed(address))
        assert unquote(parts.password or "") == password
        assert parts.hostname in ("cam", "h")
    assert unquote(urlsplit(revealed(stream.source.url)).username or "") == user
    assert str(stream.source.url) == "rtsp://***@cam:554/1"
    assert validate(to_dict(settings), environ={}) == settings  # type: ignore[arg-type]
    if len(password) > 3 and password not in str(to_dict(settings_with("rtsp://cam/1", {"PW": "x"}))):  # type: ignore[arg-type]
        assert password not in repr(settings) + json.dumps(to_dict(settings)) + str(  # type: ignore[arg-type]
            cannot_open(stream.source.url, "refused"))


@given(PASSWORD)
def test_a_password_typed_into_the_address_is_understood_or_refused(password: str) -> None:
    assume("${" not in password)  # a variable
    told = ""
    try:
        settings = settings_with(f"rtsp://user:Qx{password}xZ@cam:554/1", {"PW": "x"})
    except SettingsError as error:
        told = str(error)
    if told:
        assert f"Qx{password}xZ" not in told
        assert len(password) < 4 or password not in told
        return
    parts = urlsplit(revealed(settings.cameras[0].streams[0].source.url))  # type: ignore[attr-defined]
    assert parts.hostname == "cam"
    assert unquote(parts.password or "") == unquote(f"Qx{password}xZ")


REFERENCE = re.compile(r"\$\{(\w+)\}")


@pytest.mark.parametrize(("template", "filled"), [
    ("${URL}/1", "rtsp://u:p@cam/1"), ("rtsp://${LOGIN}@cam/1", "rtsp://me:p%40ss@cam/1"),
    ("rtsp://u:a${PW}b${PW}@${HOST}:${PORT}/${PATH}", "rtsp://u:ap%40%2Fssbp%40%2Fss@cam:554/a/b"),
    ("http://cam/x?user=u&pwd=${PW}", "http://cam/x?user=u&pwd=p%40%2Fss"),
    ("rtsp://cam/user=u_password=${PW}_channel=1", "rtsp://cam/user=u_password=p%40%2Fss_channel=1"),
    ("plain ${PW}", "plain p@/ss"), ("file:///a/${PW}", "file:///a/p@/ss")])
def test_variables_in_addresses(template: str, filled: str) -> None:
    values = {"URL": "rtsp://u:p@cam", "LOGIN": "me:p@ss", "PW": "p@/ss", "HOST": "cam", "PORT": "554", "PATH": "a/b"}
    assert fill(template, REFERENCE, lambda found: values[found[1]]) == filled
