"""Checking WS-Security's UsernameToken with a password digest, each token once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from datetime import UTC, datetime

from aipg_plugin.onvif.soap import UsernameToken

_VALID_S = 300.0     # the profile recommends five minutes for `Created`
_MOST_NONCES = 4096


class TokenCheck:
    """Admits one user. A token is refused when it is older or newer than five minutes or was seen before."""

    def __init__(self, username: str, password: str) -> None:
        self._username, self._password = username, password
        self._seen: OrderedDict[str, None] = OrderedDict()

    def ok(self, token: UsernameToken | None, now: datetime) -> bool:
        """Whether a token admits; `now` is the time of day with its zone."""
        if token is None or not hmac.compare_digest(token.username.encode(), self._username.encode()):
            return False
        try:
            nonce = base64.b64decode(token.nonce, validate=True)
            created = datetime.fromisoformat(token.created)
        except (binascii.Error, ValueError):
            return False
        if created.tzinfo is None:
            created = created.replace(tzinfo=UTC)
        if abs((now - created).total_seconds()) > _VALID_S:
            return False
        digest = hashlib.sha1(nonce + token.created.encode() + self._password.encode(), usedforsecurity=False).digest()
        if not hmac.compare_digest(base64.b64encode(digest), token.password.encode()):
            return False
        return self._first_time(token.nonce + token.created)

    def _first_time(self, key: str) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _MOST_NONCES:
            self._seen.popitem(last=False)
        return True
