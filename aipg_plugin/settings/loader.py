"""From a dict or a YAML file to Settings, with everything wrong told in one report."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import voluptuous as vol

from aipg_plugin.errors import Problem, SettingsError
from aipg_plugin.options import Settings
from aipg_plugin.settings import advice, build, rules
from aipg_plugin.settings.environment import expand, system_environment
from aipg_plugin.settings.installation import installation_id
from aipg_plugin.settings.problems import Lines, flattened, line_of, problem
from aipg_plugin.settings.schema import CAMERAS, SCHEMA
from aipg_plugin.settings.yaml_text import parse, read_text


@dataclass(frozen=True)
class Loaded:
    """A settings file: its values, its ruamel document, where it is from, and what is doubtful in it."""

    settings: Settings
    document: Any
    path: FilePath
    warnings: tuple[Problem, ...] = ()


def load(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read and check a YAML file. Raises SettingsError with every problem found, each with its line."""
    file = FilePath(path)
    return loaded_from(read_text(file), file, environ)


def loaded_from(text: str, file: FilePath, environ: Mapping[str, str] | None = None) -> Loaded:
    """Like `load`, of text that `file` holds or is about to hold."""
    parsed = parse(text, str(file))
    settings, warnings = _checked(parsed.plain, parsed.lines, environ, installation_id(file))
    return Loaded(settings, parsed.document, file, warnings)


def validate(data: Mapping[str, Any] | None, *, environ: Mapping[str, str] | None = None,
             lines: Lines | None = None) -> Settings:
    """Check a dict shaped like the YAML. Raises SettingsError with every problem found."""
    return _checked(data, lines or {}, environ, installation_id())[0]


def warnings_of(settings: Settings) -> tuple[Problem, ...]:
    """What is allowed but probably not meant."""
    return tuple(_told(advice.doubtful(settings), {}))


def _checked(data: Any, lines: Lines, environ: Mapping[str, str] | None,
             installation: str) -> tuple[Settings, tuple[Problem, ...]]:
    problems: list[Problem] = []
    plain = list(rules.plain_passwords(data))
    data = expand(data, system_environment() if environ is None else environ, lines, problems)
    try:
        settings = build.build(SCHEMA(data), installation)
    except vol.Invalid as error:
        problems += [problem(single, lines) for single in flattened(error)]
        settings = _salvaged(data)
    problems += _told(rules.broken(settings), lines)
    if problems:
        raise SettingsError("settings are not valid", problems=_in_order(problems))
    return settings, tuple(_told([*advice.doubtful(settings), *plain], lines))


def _salvaged(data: Any) -> Settings:
    """Settings of the sections that are valid by themselves, so that rules can report on them too."""
    if not isinstance(data, Mapping):
        return Settings()
    sound: dict[str, Any] = {}
    for section in ("mqtt", "web", "models"):
        try:
            SCHEMA({section: data.get(section)})
            sound[section] = data.get(section)
        except vol.Invalid:
            continue
    cameras = data.get("cameras")
    sound["cameras"] = {}
    for name, camera in cameras.items() if isinstance(cameras, Mapping) else ():
        try:
            CAMERAS({name: camera})
            sound["cameras"][name] = camera
        except vol.Invalid:
            continue
    try:
        return build.build(SCHEMA(sound), "")
    except vol.Invalid:  # two names that are one: 1 and "1"
        return Settings()


def _told(findings: list[rules.Finding], lines: Lines) -> list[Problem]:
    return [Problem(found.message, path=".".join(found.path), cure=found.cure, line=line_of(found.path, lines),
                    params=found.params) for found in findings]


def _in_order(problems: list[Problem]) -> list[Problem]:
    """In the order of the file where lines are known, each once."""
    unique = {(each.path, each.text()): each for each in problems}
    return sorted(unique.values(), key=lambda each: each.line or 0)
