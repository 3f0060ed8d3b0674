"""Recordings on a disk: names that are never used twice, permissions, what a crash left, and what is kept how long."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av

from aipg_plugin.errors import SinkError
from aipg_plugin.media.session import reason_of
from aipg_plugin.media.urls import for_ffmpeg

_log = logging.getLogger(__name__)
_PART = ".part"
_LEAST_FREE_BYTES = 4_000_000  # less is a full disk: not worth opening an encoder for
_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO,
                           errno.ETIMEDOUT})
# Of strftime, those of fixed length; %L is milliseconds, which strftime lacks.
_DIRECTIVES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d", "j": r"\d{3}",
               "L": r"\d{3}"}
_DIRECTIVE = re.compile(f"%([{''.join(_DIRECTIVES)}])")


def has_time(name: str) -> bool:
    """Whether a name has a part that stands for the time, such as `%H`."""
    return _DIRECTIVE.search(name) is not None


def at_time(template: str, wall_time_s: float) -> str:
    """A template with the UTC time in place of its directives; whatever else it holds stays."""
    when = datetime.fromtimestamp(wall_time_s, UTC)
    return _DIRECTIVE.sub(lambda found: f"{when.microsecond // 1000:03d}" if found[1] == "L" else
                          when.strftime(found[0]), template)


def disk_of(path: Path) -> Path:
    """Where the disk that holds a path (or will hold it) is mounted."""
    place = nearest_existing(path).resolve()
    while not os.path.ismount(place) and place != place.parent:
        place = place.parent
    return place


def nearest_existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def cannot_write(target: str, error: Exception) -> SinkError:
    """The error for a recording that cannot be written; trouble with the disk names the disk."""
    why = reason_of(error)
    if getattr(error, "errno", None) in _DISK_TROUBLE:
        with contextlib.suppress(OSError):
            disk = disk_of(Path(target))
            usage = shutil.disk_usage(disk)
            return SinkError("cannot write {target}: {why}; the disk at {disk} has {free} of {total} free",
                             path="output.target", target=target, why=why, disk=str(disk), free=_size(usage.free),
                             total=_size(usage.total), cure="Make room there, or set keep_days or min_free_gb")
    return SinkError("cannot write {target}: {why}", path="output.target", target=target, why=why,
                     cure="Check that the folder can be written to, has room, and that the name ends in .mp4 or .mkv")


def _size(count: float) -> str:
    """Bytes as people read them."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


class Recording:
    """A new file of our own, created with the permissions asked for and locked while it is open.

    `part`: the name has `.part` inserted until `finish`. A name that is taken gets `-1`, `-2`, … A lock tells a running
    recording from what a crash left. Raises SinkError when nothing can be created there, or the disk is full.
    """

    def __init__(self, path: Path, mode: int, *, part: bool) -> None:
        self._part = part
        try:
            make_folders(path.parent, mode)
            if shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.path, self._file = _create(path, mode, part=part)
        except OSError as error:
            raise cannot_write(str(path), error) from None
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def finish(self) -> Path | None:
        """Give the file its lasting name, or remove it if nothing in it can be played. Safe to call twice."""
        if self._file < 0:
            return None
        try:
            return settle(self.path)
        finally:
            os.close(self._file)
            self._file = -1


def _create(path: Path, mode: int, *, part: bool) -> tuple[Path, int]:
    number = 0
    while True:
        stem = f"{path.stem}-{number}" if number else path.stem
        lasting = path.with_name(stem + path.suffix)
        file = lasting.with_name(stem + _PART + path.suffix) if part else lasting
        number += 1
        if lasting.exists():
            continue
        try:
            descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, mode)
        except FileExistsError:
            continue
        with contextlib.suppress(OSError):  # whatever the umask; a file system without permissions keeps its own
            os.fchmod(descriptor, mode)
        return file, descriptor


def make_folders(folder: Path, mode: int) -> None:
    """Create the folders that are missing; users who may read a recording may open them. Raises OSError."""
    if folder.is_dir():
        return
    make_folders(folder.parent, mode)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(mode | (mode & 0o444) >> 2)


def settle(path: Path) -> Path | None:
    """The lasting file for a recording that is no longer written; None (and removed) if nothing in it can be played."""
    try:
        if not path.exists():
            return None
        if not plays(path):
            path.unlink()
            return None
        lasting = lasting_name(path)
        if lasting != path:
            path.rename(lasting)
        return lasting
    except OSError as error:
        raise cannot_write(str(path), error) from None


def lasting_name(path: Path) -> Path:
    """The name without `.part`."""
    return path.with_name(path.stem.removesuffix(_PART) + path.suffix)


def plays(path: Path) -> bool:
    """Whether a file has at least one picture to decode."""
    try:
        if path.stat().st_size == 0:
            return False
        with av.open(for_ffmpeg(path), metadata_errors="ignore") as box:
            return any(packet.size for packet in box.demux(video=0))
    except (av.FFmpegError, OSError, IndexError, ValueError):
        return False


@dataclass(frozen=True)
class Archive:
    """The recordings under one name template: which files are ours, the unfinished and the finished."""

    template: str  # an absolute path

    @property
    def root(self) -> Path:
        """The folder above everything that the template can name."""
        parts = Path(self.template).parent.parts
        fixed = next((index for index, part in enumerate(parts) if has_time(part)), len(parts))
        return Path(*parts[:fixed])

    def files(self, *, part: bool) -> list[tuple[float, Path]]:
        """Files with their time of change in s, oldest first: those being written (`part`), or the finished ones."""
        found = []
        for path in self._all(part=part):
            with contextlib.suppress(OSError):
                found.append((path.stat().st_mtime, path))
        return sorted(found)

    def _all(self, *, part: bool) -> Iterator[Path]:
        path = Path(self.template)
        stem = str(path.with_suffix(""))
        pattern = "".join(_DIRECTIVES[piece] if index % 2 else re.escape(piece)
                          for index, piece in enumerate(_DIRECTIVE.split(stem)))
        ours = re.compile(pattern + r"(-\d+)?" + (re.escape(_PART) if part else "") + re.escape(path.suffix))
        for folder, _, names in os.walk(self.root):
            for name in names:
                full = os.path.join(folder, name)
                if ours.fullmatch(full):
                    yield Path(full)

    def recover(self) -> None:
        """Finish what a crash left, or remove it if it cannot be played."""
        for _, path in self.files(part=True):
            if _is_locked(path):
                continue
            try:
                lasting = settle(path)
                _log.warning("%s was left by a crash: %s", path, f"kept as {lasting.name}" if lasting else "removed")
            except SinkError as error:
                _log.warning("%s", error)

    def clean(self, *, keep_days: float | None, min_free_gb: float) -> str:
        """Delete finished recordings that are too old, and the oldest while the disk is too full.

        Returns what is still wrong, "" if nothing is.
        """
        if keep_days is None and not min_free_gb:
            return ""
        oldest_s = time.time() - keep_days * 86_400 if keep_days is not None else -float("inf")
        for changed_s, path in self.files(part=False):
            if changed_s >= oldest_s and self._free_gb() >= min_free_gb:
                break
            try:
                path.unlink()
                _log.info("deleted the old recording %s", path)
            except OSError as error:
                return f"{path} cannot be deleted: {reason_of(error)}"
            self._remove_empty(path.parent)
        free_gb = self._free_gb()
        if free_gb < min_free_gb:
            return f"the disk at {disk_of(self.root)} has {free_gb:.1f} GB free, and no old recording is left to delete"
        return ""

    def _free_gb(self) -> float:
        try:
            return shutil.disk_usage(nearest_existing(self.root)).free / 1e9
        except OSError:
            return float("inf")

    def _remove_empty(self, folder: Path) -> None:
        while folder != self.root and self.root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


def _is_locked(path: Path) -> bool:
    """Whether somebody is writing this recording (or cannot be asked)."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
