"""Addresses and texts that may hold credentials: what is printed never does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aipg_plugin.errors import SettingsError

HIDDEN = "***"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%25[\w.~-]+)?\]|[^\s\[\]:@%/?#\\^|<>\"`]+)(?::(\d{0,5}))?")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_NO_SLASHES = re.compile(r"(rtsps?|https?):(?!//).*@", re.IGNORECASE | re.DOTALL)
_BARE_LOGIN = re.compile(r"[^/\s]*:.*@", re.DOTALL)
# In a message, everything up to the last @ before the next address may be a password: people type blanks and slashes.
_IN_TEXT = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}://)"
                      r"(?P<login>(?:(?!\s[A-Za-z][A-Za-z0-9+.-]{0,20}://).)*@)?(?P<rest>\S*)")
_LONGEST_TEXT = 10_000
_PAIR = re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)=[^&#;\s]*")
_SECRET_KEY = re.compile(r"user|usr|login|pass|pwd|token|key|auth|secret|sig|^pw?$", re.IGNORECASE)
# Keys whose values are shown; that of any other may be a password (p=, pw=, tok=, …).
_HARMLESS = re.compile(
    r"(?:audio|cam|camera|ch|channel|chn|codec|compression|format|fps|framerate|height|profile|proto|quality|res|"
    r"resolution|size|stream|streamtype|subtype|track|trackid|transport|unicast|video|videocodec|width)=[^=]*", re.I)
_MARK = "\ue000"  # private use: stands for a ${VARIABLE} while an address is taken apart


class Address(str):
    """A path, a device or a URL. As text it is safe to print, store and send: what may be secret in it reads `***`.

    Two are equal if all of them is, the secrets too. Raises SettingsError for a URL that can be read in two ways.
    """

    _whole: str

    def __new__(cls, text: str) -> Address:
        if isinstance(text, Address):
            return text
        whole = _normal(text)
        address = super().__new__(cls, _safe(whole))
        address._whole = whole
        return address

    def revealed(self) -> str:
        """The whole address: for opening it, never for a message."""
        return self._whole

    def __eq__(self, other: object) -> bool:
        return self._whole == (other._whole if isinstance(other, Address) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._whole)

    def __reduce__(self) -> tuple[Any, ...]:
        return Address, (self._whole,)


def revealed(text: str) -> str:
    """The whole of an `Address`; other text as it is."""
    return text.revealed() if isinstance(text, Address) else text


def redacted(text: str) -> str:
    """A message with the login of every URL in it, and all from the first value on that may be secret, hidden.

    Elsewhere in it only what is named as a secret is hidden (`token=…`).
    """
    if len(text) > _LONGEST_TEXT:
        return f"({len(text)} characters)"
    text = _IN_TEXT.sub(lambda url: url["scheme"] + (f"{HIDDEN}@" if url["login"] else "") + _shown(url["rest"]), text)
    return _PAIR.sub(lambda pair: f"{pair['key']}={HIDDEN}" if _SECRET_KEY.search(pair["key"]) else pair[0], text)


redacted_url = redacted


def fill(template: str, reference: re.Pattern[str], value: Callable[[re.Match[str]], str]) -> str:
    """`template` with the `value` of every `reference` in its place.

    In a URL, values are percent-encoded where they stand in the user name, the password or behind a `=`, so that a
    variable holds a password as it is typed.
    """
    values = [value(found) for found in reference.finditer(template)]
    marked = reference.sub(_MARK, template)
    scheme = _SCHEME.match(marked)
    if scheme is None or len(values) != marked.count(_MARK):
        left = iter(values)
        return reference.sub(lambda _: next(left), template)
    authority, tail = _split(marked[scheme.end():])
    login, at, host = authority.rpartition("@")
    if login == _MARK and ":" in values[0]:  # one variable for both, as in rtsp://${LOGIN}@camera
        user, _, password = values[0].partition(":")
        login, values[:1] = f"{_MARK}:{_MARK}", [user, password]
    left = iter(values)

    def put(text: str, *, encode: bool) -> str:
        return re.sub(_MARK, lambda _: quote(next(left), safe="") if encode else next(left), text)

    filled = put(login, encode=True) + at + put(host, encode=False)
    for piece in re.split(r"(=[^&;/?#]*)", tail):
        filled += put(piece, encode=piece.startswith("="))
    return scheme.group(0) + filled


def _split(rest: str) -> tuple[str, str]:
    """What follows `scheme://` as authority (login, host, port) and tail (path, query, fragment)."""
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return rest[:end], rest[end:]


def _normal(text: str) -> str:
    """A URL with its login percent-encoded (RFC 3986); anything else as it is. Raises SettingsError."""
    scheme = _SCHEME.match(text)
    if scheme is None or scheme.group(0).lower() == "file://":
        if _NO_SLASHES.match(text):
            raise SettingsError("{value} lacks the // of an address", cure="Write scheme://user:password@host/path",
                                value=f"{text.partition(':')[0]}:{HIDDEN}")
        return text
    authority, tail = _split(text[scheme.end():])
    login, at, host = authority.rpartition("@")
    if login == HIDDEN or login.endswith(f":{HIDDEN}"):
        raise SettingsError("{value} has its password hidden", cure="Write the password again", value=_safe(text))
    found = _HOST.fullmatch(host)
    if found is None or int(found[1] or 0) > 65_535 or _two_ways(authority, tail):
        raise SettingsError(
            "{value} is no address, or can be read in two ways", value=scheme.group(0) + HIDDEN,
            cure="In user name and password write %40 for @, %2F for /, %23 for #, %3F for ?, %5B for [, %25 for %; "
                 "or put the password in an environment variable, whose value is encoded by itself")
    login = quote(_PERCENT.sub("%25", login), safe="!$&'()*+,;=:%")
    return scheme.group(0) + login + at + host + _UNPRINTABLE.sub(lambda sign: quote(sign[0]), tail)


def _two_ways(authority: str, tail: str) -> bool:
    """Whether an @ behind the authority may mean that the password goes on there."""
    if "@" not in tail or not ("@" in authority or ":" in authority):
        return False
    path, _, query = tail.partition("?")
    return ("@" in path or "#" in tail or not path
            or any("@" in piece.partition("=")[0] for piece in re.split("[&;]", query)))


def _safe(address: str) -> str:
    """An address that `_normal` made, without its login and what may be secret."""
    scheme = _SCHEME.match(address)
    if scheme is None:
        return _BARE_LOGIN.sub(f"{HIDDEN}@", address)
    if scheme.group(0).lower() == "file://":
        return address
    authority, tail = _split(address[scheme.end():])
    login, _, host = authority.rpartition("@")
    return scheme.group(0) + (f"{HIDDEN}@" if login else "") + host + _shown(tail)


def _shown(tail: str) -> str:
    """Host, path and query up to the first value that may be secret."""
    shown, in_query = "", False
    for piece in re.split("([&;/?#])", tail):
        if piece == "#":
            return f"{shown}#{HIDDEN}"
        if ("=" in piece or (in_query and piece not in "&;/?")) and not _HARMLESS.fullmatch(piece):
            return shown + "".join(piece.partition("=")[:2] if "=" in piece else ()) + HIDDEN
        in_query |= piece == "?"
        shown += piece
    return shown
