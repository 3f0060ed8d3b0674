"""Passwords as the configuration holds them: an argon2id hash (RFC 9106), or plain text that older files have."""

from __future__ import annotations

import hmac

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

_PREFIX = "$argon2id$"
_hasher = PasswordHasher()  # the library's defaults: RFC 9106, low-memory profile


def hashed(password: str) -> str:
    """The argon2id hash of a password, salted, in PHC format."""
    return _hasher.hash(password)


def is_hash(stored: str) -> bool:
    """Whether a stored password is a hash."""
    return stored.startswith(_PREFIX)


def matches(stored: str, given: str) -> bool:
    """Whether `given` is the password that `stored` stands for. A broken hash matches nothing."""
    if not is_hash(stored):
        return hmac.compare_digest(stored.encode(), given.encode())
    try:
        return _hasher.verify(stored, given)
    except (Argon2Error, InvalidHashError):
        return False
