"""Passwords as the configuration holds them: an argon2id hash (RFC 9106), or plain text that older files have."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

_PREFIX = "$argon2id$"
_hasher = PasswordHasher()  # the library's defaults: RFC 9106, low-memory profile
_KNOWN_GOOD = 16
_salt = secrets.token_bytes(16)
_good: OrderedDict[bytes, None] = OrderedDict()  # players log in with every request: the slow check is made once


def hashed(password: str) -> str:
    """The argon2id hash of a password, salted, in PHC format."""
    return _hasher.hash(password)


def is_hash(stored: str) -> bool:
    """Whether a stored password is a hash."""
    return stored.startswith(_PREFIX)


def matches(stored: str, given: str) -> bool:
    """Whether `given` is the password that `stored` stands for. A broken hash matches nothing."""
    if not is_hash(stored):
        return hmac.compare_digest(stored.encode(), given.encode(errors="replace"))
    mark = hashlib.blake2b(f"{stored}\0{given}".encode(errors="replace"), key=_salt).digest()
    if mark in _good:
        return True
    try:
        _hasher.verify(stored, given)
    except (Argon2Error, InvalidHashError):
        return False
    _good[mark] = None
    while len(_good) > _KNOWN_GOOD:
        _good.popitem(last=False)
    return True
