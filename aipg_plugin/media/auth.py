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
        fields = {key.lower(): quoted or plain for key, quoted, plain in _PAIR.findall(header.partition(" ")[2])}
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
