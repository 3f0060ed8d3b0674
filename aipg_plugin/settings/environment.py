"""`${NAME}` and `${NAME:-default}` in any text value; `$${` is a plain `${`. Logins in URLs are percent-encoded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

from aipg_plugin.credentials import Address, fill
from aipg_plugin.errors import Problem, SettingsError
from aipg_plugin.settings.problems import Lines, Path, line_of

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-[^}]*)?\}")


def system_environment() -> Mapping[str, str]:
    """The environment's variables over the credentials a service manager handed over as files.

    systemd's `LoadCredential=NAME:/file` gives `$CREDENTIALS_DIRECTORY/NAME` (systemd.exec(5)).
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return os.environ
    files = [file for file in FilePath(folder).iterdir() if file.is_file()]
    return {**{file.name: file.read_text(encoding="utf-8").rstrip("\n") for file in files}, **os.environ}


def unset_for_sources(error: SettingsError) -> frozenset[str]:
    """Variables that are not set and that only sources of streams refer to."""
    unset = [(str(problem.params["name"]), problem.path) for problem in error.problems
             if problem.message == "the environment variable {name} is not set"]
    elsewhere = {name for name, path in unset if ".source" not in path}
    return frozenset(name for name, _ in unset) - elsewhere


def expand(value: Any, environ: Mapping[str, str], lines: Lines, problems: list[Problem], path: Path = ()) -> Any:
    """A copy of `value` with every reference replaced; variables that are not set are added to `problems`."""
    if isinstance(value, Mapping):
        return {key: expand(below, environ, lines, problems, (*path, str(key))) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [expand(item, environ, lines, problems, (*path, str(index))) for index, item in enumerate(value)]
    if not isinstance(value, str) or isinstance(value, Address) or "${" not in value:
        return value

    def replace(found: re.Match[str]) -> str:
        name, fallback = found["name"], found["fallback"]
        if name is None:
            return "${"
        given = environ.get(name) or (fallback[2:] if fallback else environ.get(name))
        if given is None:
            problems.append(Problem("the environment variable {name} is not set",
                                    cure="Set it, or write ${{{name}:-default}}", path=".".join(path),
                                    line=line_of(path, lines), params={"name": name}))
            return found.group(0)
        return given

    return fill(value, _REFERENCE, replace)
