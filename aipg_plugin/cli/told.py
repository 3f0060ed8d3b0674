"""What the command line says of an error, in the language of who reads it."""

from __future__ import annotations

import os

from aipg_plugin.errors import AipgError


def told(error: AipgError) -> str:
    """An error in the language that AIPG_LANGUAGE or LANG names."""
    from aipg_plugin.resources import translator  # here, so that --help is quick

    return error.text(translator(os.environ.get("AIPG_LANGUAGE") or os.environ.get("LANG", "en")[:2]))
