"""Validators of tables, lists and maps; each collects every error below it instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import voluptuous as vol

from aipg_plugin.settings.problems import Bad, kind_of, near_miss, one_of, show

Validator = Callable[[Any], Any]


def _collect(errors: list[vol.Invalid], part: object, check: Validator, value: object) -> Any:
    try:
        return check(value)
    except vol.Invalid as error:
        error.prepend([str(part)])
        errors.append(error)
        return None


@dataclass(frozen=True)
class Table:
    """Settings by name: a voluptuous mapping plus near-miss hints. `name` is its key in translations."""

    name: str
    schema: dict[vol.Marker, Validator]
    kind: str = "table"

    @cached_property
    def _compiled(self) -> vol.Schema:
        return vol.Schema(self.schema)

    def __call__(self, value: object) -> dict[str, Any]:
        value = {} if value is None else value
        if not isinstance(value, Mapping):
            raise Bad("{value} is not a table of settings", cure="Indent its settings below it", value=kind_of(value))
        known = [str(key.schema) for key in self.schema]
        errors: list[vol.Invalid] = [_unknown(key, known) for key in value if key not in known]
        out: dict[str, Any] = {}
        try:
            out = self._compiled({key: value[key] for key in known if key in value})
        except vol.Invalid as error:
            errors.append(error)
        if errors:
            raise vol.MultipleInvalid(errors)
        return out


def _unknown(key: object, known: list[str]) -> Bad:
    name = str(key)
    meant = near_miss(name, known)
    if meant:
        return Bad("unknown setting", cure="Did you mean {meant}?", path=[name], meant=meant)
    return Bad("unknown setting", cure="Known here: {known}", path=[name], known=one_of(known))


@dataclass(frozen=True)
class MapOf:
    """Names chosen by the user, each with the same kind of value."""

    key: Validator
    value: Any
    placeholder: str
    least: int = 0
    kind: str = "table by name"

    def __call__(self, value: object) -> dict[str, Any]:
        value = {} if value is None else value
        if not isinstance(value, Mapping):
            raise Bad("{value} is not a table of settings", cure="Indent its settings below it", value=kind_of(value))
        errors: list[vol.Invalid] = []
        out: dict[str, Any] = {}
        for given, below in value.items():
            before = len(errors)
            name = _collect(errors, given, self.key, given)
            checked = _collect(errors, given, self.value, below)
            if name in out:
                errors.append(Bad("{value} is there twice", cure="Give each a name of its own",
                                  path=[str(given)], value=name))
            elif len(errors) == before:
                out[name] = checked
        if len(value) < self.least:
            errors.append(Bad("has no entry", cure="Add at least one <{what}>", what=self.placeholder))
        if errors:
            raise vol.MultipleInvalid(errors)
        return out


@dataclass(frozen=True)
class ListOf:
    """A list of one kind of value, `least` to `most` long."""

    inner: Any
    least: int = 0
    most: int = 1000
    kind: str = "list"

    def __call__(self, value: object) -> list[Any]:
        value = [] if value is None else value
        if not isinstance(value, list | tuple):
            raise Bad("{value} is not a list", cure="Write [a, b] or one item a line after a dash", value=show(value))
        if not self.least <= len(value) <= self.most:
            raise Bad("has {count} items", cure="It takes {wanted}", count=len(value),
                      wanted=self.least if self.least == self.most else f"{self.least}–{self.most}")
        errors: list[vol.Invalid] = []
        out = [_collect(errors, index, self.inner, item) for index, item in enumerate(value)]
        if errors:
            raise vol.MultipleInvalid(errors)
        return out
