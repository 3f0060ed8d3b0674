"""Settings as a page may see them: secrets hidden on the way out, put back on the way in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aipg_plugin.credentials import HIDDEN, Address, redacted, revealed
from aipg_plugin.errors import SettingsError

_SECRET_KEYS = frozenset({"password", "off_token"})


def hidden(tree: Any, key: str = "") -> Any:
    """A copy of a settings tree: passwords, tokens and the secret parts of addresses replaced by `***`."""
    if isinstance(tree, dict):
        return {name: hidden(value, str(name)) for name, value in tree.items()}
    if isinstance(tree, list):
        return [hidden(value, key) for value in tree]
    if isinstance(tree, Address):
        return str(tree)
    if isinstance(tree, str):
        return HIDDEN if key in _SECRET_KEYS and tree else redacted(tree)
    return tree


def restored(given: Any, known: Any, path: str) -> Any:
    """What a page sent, with `***` replaced by what `known`, the same place before, holds.

    Raises SettingsError for a hidden part that nothing stands for: a login is never sent to another host.
    """
    if isinstance(given, dict):
        below = known if isinstance(known, dict) else {}
        return {name: restored(value, below.get(name), f"{path}.{name}") for name, value in given.items()}
    if isinstance(given, list):
        rest = known if isinstance(known, list) else []
        return [restored(value, rest[index] if index < len(rest) else None, f"{path}.{index}")
                for index, value in enumerate(given)]
    if not isinstance(given, str) or HIDDEN not in given:
        return given
    if isinstance(known, dict):  # written in short: the main setting alone
        known = known.get("url", known.get("target"))
    key = path.rpartition(".")[2]
    if isinstance(known, str) and hidden(known, key) == given:
        return known
    swapped = _with_login_of(given, revealed(known)) if isinstance(known, str) else None
    if swapped is None:
        raise SettingsError("the hidden part {hidden} cannot be filled in", path=path, hidden=HIDDEN,
                            cure="Write the password again")
    return swapped


def _with_login_of(given: str, known: str) -> str | None:
    """`given` with the login of `known`, if both name the same host and port."""
    try:
        new, old = urlsplit(given), urlsplit(known)
        same = (new.scheme, new.hostname, new.port) == (old.scheme, old.hostname, old.port)
    except ValueError:
        return None
    login, at, _ = old.netloc.rpartition("@")
    if not same or not at or f"//{HIDDEN}@" not in given:
        return None
    swapped = given.replace(f"//{HIDDEN}@", f"//{login}@", 1)
    return None if HIDDEN in swapped else swapped
