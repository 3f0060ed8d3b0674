"""Validators of single values. Each says what it takes (`kind`, `limits`, `choices`) for reference and forms."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aipg_plugin.settings.problems import Bad, near_miss, one_of, show

_ON = frozenset({"on", "true", "yes"})
_OFF = frozenset({"off", "false", "no"})


@dataclass(frozen=True)
class Flag:
    """On or off, however YAML spells it."""

    kind: str = "on/off"

    def __call__(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        word = value.strip().lower() if isinstance(value, str) else ""
        if word in _ON or word in _OFF:
            return word in _ON
        raise Bad("{value} is neither on nor off", cure="Write on or off", value=show(value))


def _number(value: object) -> float:
    if isinstance(value, str):  # an expanded ${VARIABLE} is always text
        with contextlib.suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Bad("{value} is not a number", cure="Write a plain number", value=show(value))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Bad("{value} is not a finite number", cure="Write a plain number", value=show(value))
    return number


def _spaced(unit: str) -> str:
    return unit if unit in ("", "°") else f" {unit}"


@dataclass(frozen=True)
class Number:
    """A number in a closed range, in steps when `step` is set."""

    low: float
    high: float
    step: float | None = None
    unit: str = ""
    kind: str = "number"

    @property
    def limits(self) -> str:
        """`2.5–5.0 m in steps of 0.1`."""
        text = f"{self.low:g}{'–' if self.low >= 0 else ' to '}{self.high:g}{_spaced(self.unit)}"
        return text + (f" in steps of {self.step:g}" if self.step else "")

    def __call__(self, value: object) -> float:
        number = _number(value)
        if not self.low <= number <= self.high:
            raise Bad("{value} is not in {low}–{high}", cure="Choose a number in {low}–{high}{unit}",
                      value=show(value), low=f"{self.low:g}", high=f"{self.high:g}",
                      unit=_spaced(self.unit))
        if self.step is None:
            return number
        stepped = round(round(number / self.step) * self.step, 6)
        if abs(stepped - number) > 1e-6:
            raise Bad("{value} is not a multiple of {step}", cure="{nearest} is the nearest",
                      value=show(value), step=f"{self.step:g}", nearest=f"{stepped:g}")
        return stepped


@dataclass(frozen=True)
class Whole:
    """A whole number in a closed range."""

    low: int
    high: int
    unit: str = ""
    kind: str = "whole number"

    @property
    def limits(self) -> str:
        """`1–8`."""
        return f"{self.low}–{self.high}{_spaced(self.unit)}"

    def __call__(self, value: object) -> int:
        number = _number(value)
        if number != int(number):
            raise Bad("{value} is not a whole number", cure="Write it without a fraction", value=show(value))
        return int(Number(self.low, self.high, unit=self.unit)(value))


@dataclass(frozen=True)
class Choice:
    """One of a few words; letter case does not matter. `off` also arrives as a YAML boolean."""

    choices: tuple[str, ...]
    kind: str = "choice"

    def __call__(self, value: object) -> str:
        if value is False and "off" in self.choices:
            return "off"
        word = str(value).strip().lower() if isinstance(value, str | int | float) else ""
        if word in self.choices:
            return word
        meant = near_miss(word, self.choices) if word else None
        if meant:
            raise Bad("{value} is not one of {choices}", cure="Did you mean {meant}?",
                      value=show(value), choices=one_of(self.choices), meant=meant)
        raise Bad("{value} is not one of {choices}", cure="Choose one of them",
                  value=show(value), choices=one_of(self.choices))


def choice_of(values: Iterable[Any]) -> Choice:
    """A Choice of an enumeration's values."""
    return Choice(tuple(str(value.value) for value in values))


@dataclass(frozen=True)
class FileMode:
    """Permissions of files in octal, as text; the owner may always read and write.

    YAML reads 0640 without quotes as the number 416: it is taken as meant, as is 640.
    """

    kind: str = "text"
    limits: str = "octal permissions, such as 0600 (owner), 0640 (and group) or 0644 (everybody)"

    def __call__(self, value: object) -> str:
        digits = f"{value:o}" if isinstance(value, int) and 0o600 <= value <= 0o777 else str(value)
        found = re.fullmatch(r"0?o?([67][0-7]{2})", digits)
        if isinstance(value, bool) or found is None:
            raise Bad("{value} is not {wanted}", cure="Write {wanted}", value=show(value), wanted=self.limits)
        return "0" + found[1]


@dataclass(frozen=True)
class Text:
    """Text on one line. `pattern` must match all of it and is explained by `looks_like`; secrets are never quoted."""

    pattern: str = ""
    looks_like: str = ""
    secret: bool = False
    empty: bool = False
    longest: int = 1024
    kind: str = "text"

    @property
    def limits(self) -> str:
        """What the text looks like."""
        return self.looks_like

    def __call__(self, value: object) -> str:
        shown = "the value" if self.secret else show(value)
        if not isinstance(value, str):
            raise Bad("{value} is not text", cure="Put it in quotes", value=shown)
        if not value and not self.empty:
            raise Bad("is empty", cure="Write it, or leave the line out")
        if len(value) > self.longest:
            raise Bad("is longer than {longest} characters", cure="Shorten it", longest=self.longest)
        if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in value):
            raise Bad("{value} has control characters", cure="Keep to one line of printable text", value=shown)
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise Bad("{value} is not {wanted}", cure="Write {wanted}", value=shown, wanted=self.looks_like)
        return value


@dataclass(frozen=True)
class Optionally:
    """Another validator's value, or nothing."""

    inner: Any

    def __call__(self, value: object) -> Any:
        return None if value is None else self.inner(value)


@dataclass(frozen=True)
class HexColour:
    """A colour as #rrggbb."""

    kind: str = "colour"
    limits: str = "#rrggbb"

    def __call__(self, value: object) -> str:
        if isinstance(value, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            return value.lower()
        raise Bad("{value} is not a colour", cure='Write it as "#rrggbb", in quotes', value=show(value))


NAME_PATTERN = r"[A-Za-z0-9_-]{1,64}"
NAME_LOOKS = "1–64 letters, digits, _ or -"


@dataclass(frozen=True)
class Name:
    """The id of a camera or stream as topics and addresses carry it; whole numbers are taken as their digits."""

    reserved: frozenset[str] = frozenset()
    kind: str = "name"

    def __call__(self, value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**6:
            value = str(value)
        name = Text(NAME_PATTERN, NAME_LOOKS)(value)
        if name.lower() in self.reserved:
            raise Bad("{value} is a reserved name", cure="Choose another name", value=name)
        return name
