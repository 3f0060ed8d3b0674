"""Which files of a folder `redact` does, under which name each is written, and what it leaves out and why."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aipg_plugin.media.filesink import FORMATS
from aipg_plugin.media.images import can_hold, is_picture


@dataclass(frozen=True)
class Job:
    """One file to do. `reason` says why it cannot be done; it is empty where it can be tried."""

    source: Path
    target: Path
    reason: str = ""


def jobs_in(source: Path, target: Path, *, recursive: bool) -> list[Job]:
    """Everything in a folder, by name: files to do, and each thing left out with its reason.

    A target folder inside the source is no part of it.
    """
    jobs: list[Job] = []
    taken: dict[Path, Path] = {}
    for path, reason in _found(source, target.resolve(), recursive):
        to = target / path.relative_to(source)
        if reason:
            jobs.append(Job(path, to, reason))
            continue
        to = target_for(path, to)
        first = taken.setdefault(to, path)
        clash = "" if first == path else f"{to.name} is what {first.name} is written to; rename one of them"
        jobs.append(Job(path, to, clash))
    return jobs


def target_for(source: Path, target: Path) -> Path:
    """The name under which a file of a folder is written: its own, or with an ending that can be written added."""
    if is_picture(source):
        return target if can_hold(target.suffix, 1) else target.with_name(target.name + ".png")
    return target if target.suffix.lower() in FORMATS else target.with_name(target.name + ".mp4")


def _found(folder: Path, leave: Path, recursive: bool) -> Iterator[tuple[Path, str]]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield folder, f"cannot be read: {error.strerror}"
        return
    for entry in entries:
        path = Path(entry.path)
        if path.resolve() == leave:
            continue
        if entry.is_dir(follow_symlinks=False):
            if recursive:
                yield from _found(path, leave, recursive)
            else:
                yield path, "a folder; add --recursive to do what is in it"
        elif path.is_dir():
            yield path, "a link to a folder is not followed"
        elif not path.exists():
            yield path, "a link to nothing"
        else:
            yield path, "" if path.is_file() else "not a file"
