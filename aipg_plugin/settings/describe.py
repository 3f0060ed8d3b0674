"""Every setting as data, from the schema: for `aipg settings`, docs/settings.md, the pages and Home Assistant."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import voluptuous as vol

from aipg_plugin.resources import SOURCE_LANGUAGE, text
from aipg_plugin.settings.schema import SCHEMA, unwrapped
from aipg_plugin.settings.shapes import ListOf, MapOf, Table
from aipg_plugin.settings.validators import Choice, Number, Text, Whole


@dataclass(frozen=True)
class Setting:
    """One setting. `path` has `<camera>`, `<stream>` and `<n>` where the user names or counts.

    `default` is as one would write it in YAML ("" when there is none), `low`, `high` and `step` belong to numbers.
    """

    path: str
    kind: str
    default: str
    limits: str
    choices: tuple[str, ...]
    text: str
    required: bool = False
    secret: bool = False
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @property
    def key(self) -> str:
        """The last part of the path that is a name."""
        return [part for part in self.path.split(".") if not part.startswith("<")][-1]


def describe(language: str = SOURCE_LANGUAGE) -> list[Setting]:
    """Every setting, in the order of the schema."""
    return list(_table(SCHEMA, "", language))


def reference_markdown(language: str = SOURCE_LANGUAGE) -> str:
    """The settings reference: what docs/settings.md holds."""
    parts = [text("reference.intro", language).rstrip(), ""]
    heads = [text(f"reference.{key}", language) for key in ("setting", "values", "default", "meaning")]
    section = None
    for setting in describe(language):
        above = setting.path.rpartition(".")[0]
        if above.endswith(".<n>") and setting.path.endswith(".<n>"):
            above = above.rpartition(".")[0]
        if above != section:
            section = above
            title = f"`{above}`" if above else text("reference.top", language)
            parts += ["", f"## {title}", "", "| " + " | ".join(heads) + " |", "|---|---|---|---|"]
        parts.append("| " + " | ".join(_cell(cell) for cell in _row(setting, language)) + " |")
    return "\n".join(parts) + "\n"


def _row(setting: Setting, language: str) -> tuple[str, str, str, str]:
    values = ", ".join(f"`{choice}`" for choice in setting.choices) or setting.limits
    values = f"{setting.limits} of {values}" if setting.choices and setting.limits else values
    kind = text(f"reference.kinds.{setting.kind}", language)
    default = text("reference.required", language) if setting.required else setting.default and f"`{setting.default}`"
    return f"`{setting.key}`", values or kind, default, setting.text


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("<", "&lt;") if "`" not in value else value.replace("|", "\\|")


def _table(table: Table, above: str, language: str) -> Iterator[Setting]:
    later: list[Iterator[Setting]] = []
    for key, validator in table.schema.items():
        path = f"{above}.{key.schema}" if above else str(key.schema)
        inner = unwrapped(validator)
        below = _below(inner, path, language)
        if below is not None:
            later.append(below)
        if not isinstance(inner, Table | MapOf):
            yield _leaf(key, validator, path, language)
    for nested in later:
        yield from nested


def _below(validator: Any, path: str, language: str) -> Iterator[Setting] | None:
    if isinstance(validator, Table):
        return _table(validator, path, language)
    if isinstance(validator, MapOf):
        return _below(unwrapped(validator.value), f"{path}.<{validator.placeholder}>", language)
    if isinstance(validator, ListOf):
        return _below(unwrapped(validator.inner), f"{path}.<n>", language)
    return None


def _leaf(key: vol.Marker, validator: Any, path: str, language: str) -> Setting:
    inner = unwrapped(validator)
    number = inner if isinstance(inner, Number | Whole) else None
    item = unwrapped(inner.inner) if isinstance(inner, ListOf) else inner
    required = isinstance(key, vol.Required)
    return Setting(
        path=path, kind=inner.kind, default="" if required else _written(key), limits=_limits(inner),
        choices=item.choices if isinstance(item, Choice) else (), text=text(str(key.description), language),
        required=required, secret=isinstance(inner, Text) and inner.secret,
        low=number.low if number else None, high=number.high if number else None,
        step=inner.step if isinstance(inner, Number) else None, unit=number.unit if number else "")


def _limits(validator: Any) -> str:
    if isinstance(validator, ListOf):
        count = f"{validator.least}" if validator.least == validator.most else f"{validator.least}–{validator.most}"
        inner = _limits(unwrapped(validator.inner))
        return f"list of {count}" + (f", each {inner}" if inner else "")
    return str(getattr(validator, "limits", ""))


def _written(key: vol.Marker) -> str:
    made = getattr(key, "default", None)
    default = made() if callable(made) else None
    special = {"target_streams": "off"}.get(str(key.schema))
    if default is None:
        return special or ""
    return _yaml(default)


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}"
    return '""' if value == "" else str(value)
