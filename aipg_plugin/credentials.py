"""Keeping credentials out of logs and errors."""

from __future__ import annotations

import re

HIDDEN = "***"

# A password with a slash in it is no valid URL and still typed; digits before the slash are a port.
_USER_INFO = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s/?#:@]*)(?::(?:[^\s/?#]*|(?!\d+[/?#])\S*))?@")
_QUERY = re.compile(
    r"(?i)(?P<key>[?&;][\w.-]*(?:user|usr|login|pass|pwd|token|key|auth|secret|sig)[\w.-]*)=[^&#;\s]*")


def redacted(text: str) -> str:
    """`text` with the password of every URL in it, and query values that look like secrets, replaced by `***`.

    The user's name stays (`rtsp://user:***@host/…`), so that a log still says which account was refused.
    """
    return _QUERY.sub(rf"\g<key>={HIDDEN}", _USER_INFO.sub(_hide_password, text))


def redacted_url(text: str) -> str:
    """`text` as `redacted` leaves it, without the users' names either (`rtsp://***@host/…`)."""
    return _QUERY.sub(rf"\g<key>={HIDDEN}", _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text))


def _hide_password(found: re.Match[str]) -> str:
    has_password = ":" in found.group(0)[len(found["scheme"]):]
    return f"{found['scheme']}{found['user']}{':' + HIDDEN if has_password else ''}@"
