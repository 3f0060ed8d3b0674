"""Checking user names and passwords: HTTP Basic (RFC 7617) and Digest (RFC 7616, as RTSP uses it)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import time

_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_NONCE_S = 300.0


def basic_ok(header: str, username: str, password: str) -> bool:
    """Whether an Authorization header of the Basic scheme carries these credentials."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, f"{username}:{password}".encode())


def _fields(challenge: str) -> dict[str, str]:
    """The parameters of a challenge or of credentials, without their scheme."""
    return {key.lower(): quoted or plain for key, quoted, plain in _PAIR.findall(challenge.partition(" ")[2])}


def authorization(challenges: list[str], method: str, uri: str, username: str, password: str) -> str:
    """The Authorization value that answers a server's challenges: Digest (MD5 or SHA-256) before Basic."""
    for challenge in challenges:
        fields = _fields(challenge)
        make = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}.get(fields.get("algorithm", "MD5").upper())
        if challenge.partition(" ")[0].lower() != "digest" or make is None or "nonce" not in fields:
            continue
        realm, nonce, qop = fields.get("realm", ""), fields["nonce"], "auth" if "auth" in fields.get("qop", "") else ""
        client = secrets.token_hex(8)
        middle = f"{nonce}:00000001:{client}:{qop}" if qop else nonce
        left = make(f"{username}:{realm}:{password}".encode()).hexdigest()
        response = make(f"{left}:{middle}:{make(f'{method}:{uri}'.encode()).hexdigest()}".encode()).hexdigest()
        more = f', qop={qop}, nc=00000001, cnonce="{client}"' if qop else ""
        more += f', algorithm={fields["algorithm"]}' if "algorithm" in fields else ""
        more += f', opaque="{fields["opaque"]}"' if "opaque" in fields else ""
        return (f'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
                f'response="{response}"{more}')
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class Authenticator:
    """Challenges and checks one user for RTSP requests. Nonces are signed, expire, and need no memory."""

    realm = "aipg"

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._secret = secrets.token_bytes(32)

    def challenges(self) -> list[str]:
        """WWW-Authenticate values. MD5 only: FFmpeg, GStreamer and most recorders fail on a SHA-256 offer."""
        return [f'Digest realm="{self.realm}", nonce="{self._nonce(int(time.time()))}", algorithm=MD5',
                f'Basic realm="{self.realm}"']

    def ok(self, header: str, method: str) -> bool:
        """Whether an Authorization header admits a request of this method."""
        scheme = header.partition(" ")[0].lower()
        if scheme == "basic":
            return basic_ok(header, self._username, self._password)
        return scheme == "digest" and self._digest_ok(header, method)

    def _nonce(self, at_s: int) -> str:
        stamp = f"{at_s:x}"
        return stamp + "-" + hmac.new(self._secret, stamp.encode(), "sha256").hexdigest()[:32]

    def _fresh(self, nonce: str) -> bool:
        stamp = nonce.partition("-")[0]
        if not re.fullmatch(r"[0-9a-f]{1,12}", stamp):
            return False
        at_s = int(stamp, 16)
        return hmac.compare_digest(nonce, self._nonce(at_s)) and 0 <= time.time() - at_s + 1 <= _NONCE_S

    def _digest_ok(self, header: str, method: str) -> bool:
        fields = _fields(header)
        known = fields.get("algorithm", "MD5").upper() == "MD5" and fields.get("username") == self._username
        if not known or not self._fresh(fields.get("nonce", "")):
            return False

        def digest(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        middle = [fields["nonce"]]
        if fields.get("qop"):
            middle += [fields.get("nc", ""), fields.get("cnonce", ""), fields["qop"]]
        wanted = digest(":".join((digest(f"{self._username}:{self.realm}:{self._password}"), *middle,
                                  digest(f"{method}:{fields.get('uri', '')}"))))
        return hmac.compare_digest(wanted, fields.get("response", "").lower())
