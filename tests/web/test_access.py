"""Who gets in: hosts, origins, sessions, roles, slowed log-in, headers."""

from __future__ import annotations

import base64
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import aipg_plugin
from aipg_plugin.media.attempts import LoginAttempts
from aipg_plugin.media.auth import Authenticator, authorization, basic_ok
from aipg_plugin.passwords import hashed, is_hash, matches
from tests.web.house import House

ADMIN, VIEWER = hashed("an admin's password"), hashed("a viewer's password")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, things: tuple[Path, Path]) -> Iterator[House]:
    """Pages with users: open to the network."""
    users = (f", users: {{anna: {{password: '{ADMIN}', role: admin}}, vic: {{password: '{VIEWER}', role: viewer}}}}"
             ", host: 0.0.0.0, username: nvr, password: a-long-password"
             ", frame_ancestors: [self, 'https://nvr.example']")
    running = House(tmp_path_factory.mktemp("locked"), *things, web=users)
    yield running
    running.stop()


def log_in(house: House, user: str, password: str) -> dict[str, str]:
    status, _, headers = house.call("POST", "api/session", {"user": user, "password": password},
                                    {"X-CSRF-Token": house.get("session")["token"]})
    assert status == 200
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    jar = {"Cookie": cookie.split(";")[0]}
    return {**jar, "X-CSRF-Token": house.get("session", **jar)["token"]}


def test_a_name_that_any_dns_server_may_point_here_is_refused(house: House) -> None:
    for host in ("evil.example", "evil.example:8097", "127.0.0.1.evil.example"):
        for path in ("", "api/session", "api/state", "streams/lobby/1.jpg"):
            assert house.call("GET", path, headers={"Host": host})[0] == 421, (host, path)
    for host in ("localhost", "127.0.0.1", "[::1]", socket.gethostname(), "aipg.local"):
        assert house.call("GET", "api/session", headers={"Host": f"{host}:{house.port}"})[0] == 200, host


def test_a_foreign_page_changes_nothing(house: House) -> None:
    change = {"changes": [{"path": "cameras.lobby.privacy_guard.enabled", "value": False}], "confirmed": True}
    token = {"X-CSRF-Token": house.token}
    for headers in ({}, {"X-CSRF-Token": "0" * 64}, {**token, "Origin": "http://evil.example"},
                    {**token, "Origin": "null"}, {**token, "Sec-Fetch-Site": "cross-site"}):
        assert house.call("POST", "api/changes", change, headers)[0] == 403, headers
    assert house.call("GET", "api/live", headers={"Origin": "http://evil.example", "Upgrade": "websocket"})[0] == 403
    assert house.guard().enabled


def test_nobody_gets_in_without_a_password(locked: House) -> None:
    for path in ("settings", "state", "events", "file", "diagnostics", "live", "cameras/lobby/streams/1/picture.jpg"):
        assert locked.call("GET", f"api/{path}")[0] == 401, path
    assert locked.call("GET", "streams/lobby/1.jpg")[0] == 401
    session = locked.get("session")
    assert (session["user"], session["login_needed"]) == (None, True)
    assert locked.call("GET", "")[0] == 200, "the page itself asks for the log-in"


def test_viewers_look_and_admins_change(locked: House) -> None:
    viewer, admin = log_in(locked, "vic", "a viewer's password"), log_in(locked, "anna", "an admin's password")
    body = {"changes": [{"path": "cameras.lobby.name", "value": "Hall"}]}
    assert locked.call("GET", "api/state", headers=viewer)[0] == 200
    assert locked.call("POST", "api/changes", body, viewer)[0] == 403
    assert locked.call("GET", "api/file", headers=viewer)[0] == 403
    assert locked.call("POST", "api/changes", body, {**admin, "X-CSRF-Token": viewer["X-CSRF-Token"]})[0] == 403
    assert locked.call("POST", "api/changes", body, admin)[0] == 200
    assert locked.call("GET", "streams/lobby/1.jpg", headers=viewer)[0] in (200, 503)
    assert locked.call("DELETE", "api/session", headers=viewer)[0] == 200
    assert locked.call("GET", "api/state", headers=viewer)[0] == 401


def test_headers_keep_browsers_strict(house: House, locked: House) -> None:
    policy = house.call("GET", "")[2]["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "frame-ancestors 'self' https://nvr.example" in locked.call("GET", "")[2]["Content-Security-Policy"]
    page = house.call("GET", "")[1].decode()
    assert "<style" not in page
    assert page.count("<script") == 1
    assert 'src="static/app.js"' in page


def test_a_forwarded_request_is_not_local(house: House) -> None:
    assert house.call("GET", "api/state", headers={"X-Forwarded-For": "203.0.113.9"})[0] == 401


def test_wrong_passwords_are_refused_and_then_slowed(locked: House) -> None:
    token = {"X-CSRF-Token": locked.get("session")["token"]}

    def guess(number: int) -> int:
        return locked.call("POST", "api/session", {"user": "anna", "password": f"guess {number}"}, token)[0]

    with ThreadPoolExecutor(16) as parallel:
        found = list(parallel.map(guess, range(16)))
    assert set(found) == {401, 429}
    assert 5 <= found.count(401) <= 6, "guesses at the same time are counted before they are checked"


def test_passwords_are_hashed() -> None:
    stored = hashed("correct horse")
    assert is_hash(stored)
    assert matches(stored, "correct horse")
    assert not matches(stored, "wrong")
    assert not matches("$argon2id$broken", "wrong")
    assert matches("plain", "plain")
    assert not matches(stored, stored), "the hash itself is no password"


def test_a_hashed_password_opens_the_streams_by_basic_only() -> None:
    stored = hashed("correct horse")

    def header(password: str) -> str:
        return "Basic " + base64.b64encode(f"nvr:{password}".encode()).decode()

    assert basic_ok(header("correct horse"), "nvr", stored)
    assert not basic_ok(header(stored), "nvr", stored)
    login = Authenticator("nvr", stored, LoginAttempts()).connection("127.0.0.1")
    assert login.challenges() == ['Basic realm="aipg"']
    digest = authorization(['Digest realm="aipg", nonce="x", algorithm=MD5'], "DESCRIBE", "rtsp://h/s", "nvr", stored)
    assert not login.ok(digest, "DESCRIBE", lambda _uri: True)


def test_pages_work_under_any_path(house: House) -> None:
    page = house.call("GET", "")[1].decode()
    assert not re.findall(r'(?:src|href)="(?:/|http)', page), "relative addresses only"
    for path in (Path(aipg_plugin.__file__).parent / "web" / "static").glob("*.js"):
        assert not re.findall(r"""["'`]/(?:api|static)""", path.read_text("utf-8")), path.name


def test_the_cookie_belongs_to_the_path_of_the_ingress(locked: House) -> None:
    headers = {"X-CSRF-Token": locked.get("session")["token"], "X-Ingress-Path": "/api/hassio_ingress/abc"}
    _, _, found = locked.call("POST", "api/session", {"user": "anna", "password": "an admin's password"}, headers)
    assert "Path=/api/hassio_ingress/abc/" in (found["Set-Cookie"] or "") or found.get("Retry-After")
