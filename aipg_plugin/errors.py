"""The one tree of errors.

AipgError
├── SettingsError      a setting is missing, unknown or out of range (carries every problem found)
├── GeometryError      a lens, mount or projection that cannot be
├── ModelError         a weight file missing, altered, or of another layout
├── DetectionError     the detector failed on a picture
├── MediaError         a source or sink
│   ├── SourceError    a source is unreachable or undecodable, or broke off
│   └── SinkError      an output cannot be written
├── GuardError         the guard was used in a way it must not be
├── MqttError          broker, topic or payload
├── HostError          the host NVR or its configuration
└── UsageError         the command line

Messages are templates in English; the template is the key under which `translations/*.json`
keeps its translation (`errors` there), so `str(error)` is English and `error.text(translate)` is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Translate = Callable[[str], str]
_LINE = "line {line}"


def _same(template: str) -> str:
    return template


@dataclass(frozen=True)
class Problem:
    """One thing wrong: where, what, and the cure.

    `message` and `cure` are templates filled from `params`; `path` is dotted (`cameras.lobby.lens.fov_deg`),
    `line` counts from 1 where the problem sits in a file.
    """

    message: str
    path: str = ""
    cure: str = ""
    line: int | None = None
    params: dict[str, object] = field(default_factory=dict)

    def text(self, translate: Translate = _same) -> str:
        """One line: `path: message (line N). Cure.`"""
        parts = translate(self.message).format(**self.params)
        if self.path:
            parts = f"{self.path}: {parts}"
        if self.line is not None:
            parts += f" ({translate(_LINE).format(line=self.line)})"
        if self.cure:
            parts += ". " + translate(self.cure).format(**self.params)
        return parts


class AipgError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, *, path: str = "", cure: str = "", line: int | None = None,
                 problems: Sequence[Problem] = (), **params: object) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems) or (
            Problem(message, path=path, cure=cure, line=line, params=params),)
        super().__init__(self.text())

    def text(self, translate: Translate = _same) -> str:
        """Every problem on its own line, translated."""
        return "\n".join(problem.text(translate) for problem in self.problems)


class SettingsError(AipgError):
    """A setting is missing, unknown or out of range."""

    exit_code = 3


class GeometryError(AipgError):
    """A lens, mount or projection that cannot be."""


class ModelError(AipgError):
    """A weight file is missing, altered, or of another layout."""

    exit_code = 4


class DetectionError(AipgError):
    """The detector failed on a picture."""


class MediaError(AipgError):
    """A source or sink is unreachable, undecodable or unwritable."""

    exit_code = 5


class SourceError(MediaError):
    """A source is unreachable or undecodable, or broke off."""


class SinkError(MediaError):
    """An output cannot be written."""


class GuardError(AipgError):
    """The guard was used in a way it must not be."""


class MqttError(AipgError):
    """Broker, topic or payload."""

    exit_code = 6


class HostError(AipgError):
    """The host NVR or its configuration."""

    exit_code = 7


class UsageError(AipgError):
    """The command line was wrong."""

    exit_code = 2
