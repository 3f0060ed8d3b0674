"""Checking user names and passwords: HTTP Basic (RFC 7617) and Digest (RFC 7616, as RTSP uses it)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

from aipg_plugin.media.attempts import LoginAttempts
from aipg_plugin.passwords import is_hash, matches

_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def basic_ok(header: str, username: str, password: str) -> bool:
    """Whether an Authorization header of the Basic scheme carries these credentials."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    user, _, secret = given.decode(errors="replace").partition(":")
    return hmac.compare_digest(user.encode(), username.encode()) and matches(password, secret)


def _fields(challenge: str) -> dict[str, str]:
    """The parameters of a challenge or of credentials, without their scheme."""
    return {key.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
            for key, quoted, plain in _PAIR.findall(challenge.partition(" ")[2])}


def _quoted(text: str) -> str:
    """A quoted-string's inside (RFC 7230 §3.2.6)."""
    return re.sub(r'(["\\])', r"\\\1", text)


def authorization(challenges: list[str], method: str, uri: str, username: str, password: str, *, count: int = 1) -> str:
    """The Authorization value that answers a server's challenges: Digest (MD5 or SHA-256) before Basic.

    `count` is the how manieth request this is with these challenges (`nc`).
    """
    for challenge in challenges:
        fields = _fields(challenge)
        make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}.get(fields.get("algorithm", "MD5").upper())
        if challenge.partition(" ")[0].lower() != "digest" or make is None or "nonce" not in fields:
            continue
        realm, nonce, qop = fields.get("realm", ""), fields["nonce"], "auth" if "auth" in fields.get("qop", "") else ""
        client = secrets.token_hex(8)
        middle = f"{nonce}:{count:08x}:{client}:{qop}" if qop else nonce
        left = make(f"{username}:{realm}:{password}".encode()).hexdigest()
        response = make(f"{left}:{middle}:{make(f'{method}:{uri}'.encode()).hexdigest()}".encode()).hexdigest()
        more = f', qop={qop}, nc={count:08x}, cnonce="{client}"' if qop else ""
        more += f', algorithm={fields["algorithm"]}' if "algorithm" in fields else ""
        more += f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
        return (f'Digest username="{_quoted(username)}", realm="{_quoted(realm)}", nonce="{nonce}", uri="{uri}", '
                f'response="{response}"{more}')
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Authenticator:
    """One user that may log in over RTSP; `connection` gives what one connection needs."""

    def __init__(self, username: str, password: str, attempts: LoginAttempts) -> None:
        self.username, self.password, self.attempts = username, password, attempts

    def connection(self, address: str) -> ConnectionLogin:
        """Challenges and checks for a connection from `address`."""
        return ConnectionLogin(self, address)


class ConnectionLogin:
    """Challenges and checks the requests of one connection.

    Its Digest nonce holds on this connection only; a client that counts its requests (`nc`) must count on; and the
    digest must be of the stream that is asked for.
    """

    realm = "aipg"

    def __init__(self, user: Authenticator, address: str) -> None:
        self._user, self._address = user, address
        self._nonce = secrets.token_hex(16)
        self._count = 0
        self._stale = False
        self.failures = 0

    def challenges(self) -> list[str]:
        """WWW-Authenticate values. MD5 only: FFmpeg, GStreamer and most recorders fail on a SHA-256 offer."""
        stale = ", stale=true" if self._stale else ""
        if is_hash(self._user.password):  # Digest needs the password itself
            return [f'Basic realm="{self.realm}"']
        return [f'Digest realm="{self.realm}", nonce="{self._nonce}", algorithm=MD5{stale}',
                f'Basic realm="{self.realm}"']

    def wait_s(self) -> float:
        """Seconds until this client may log in again; 0 when it may now."""
        return self._user.attempts.wait_s(self._address)

    def ok(self, header: str, method: str, same: Callable[[str], bool]) -> bool:
        """Whether an Authorization header admits a request of this method; `same` tells whether a URI is the one asked
        for. A wrong user or password counts as an attempt; no header, or an old nonce, does not.
        """
        scheme = header.partition(" ")[0].lower()
        if scheme == "basic":
            admitted = basic_ok(header, self._user.username, self._user.password)
        elif scheme == "digest" and not is_hash(self._user.password):
            fields = _fields(header)
            self._stale = fields.get("nonce") != self._nonce
            if self._stale or not same(fields.get("uri", "")) or not self._counts_on(fields):
                return False
            admitted = self._digest_ok(fields, method)
        else:
            return False
        if not admitted:
            self.failures += 1
            attempts = self._user.attempts
            attempts.failed(attempts.begin(self._address, header if scheme == "basic" else ""))
        return admitted

    def _counts_on(self, fields: dict[str, str]) -> bool:
        """With qop (RFC 7616 §3.4), whether `nc` is higher than before."""
        if not fields.get("qop"):
            return True
        if fields["qop"] != "auth" or not re.fullmatch("[0-9a-fA-F]{8}", fields.get("nc", "")):
            return False
        count = int(fields["nc"], 16)
        if count <= self._count:
            return False
        self._count = count
        return True

    def _digest_ok(self, fields: dict[str, str], method: str) -> bool:
        if fields.get("algorithm", "MD5").upper() != "MD5" or fields.get("username") != self._user.username:
            return False

        def digest(text: str) -> str:
            return hashlib.md5(text.encode(errors="replace"), usedforsecurity=False).hexdigest()

        middle = [self._nonce]
        if fields.get("qop"):
            middle += [fields["nc"], fields.get("cnonce", ""), fields["qop"]]
        wanted = digest(":".join((digest(f"{self._user.username}:{self.realm}:{self._user.password}"), *middle,
                                  digest(f"{method}:{fields.get('uri', '')}"))))
        return hmac.compare_digest(wanted.encode(), fields.get("response", "").lower().encode(errors="replace"))
