"""Keeps changes in the settings file on a thread of its own: a slow or hanging disk holds up no other change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aipg_plugin.errors import SettingsError
from aipg_plugin.options import Settings
from aipg_plugin.settings.writer import save_changes

_log = logging.getLogger(__name__)


class SettingsKeeper:
    """Writes changes into one file. `saved(settings)` and `failed(error)` are called on the thread that wrote."""

    def __init__(self, file: Path, *, saved: Callable[[Settings], None],
                 failed: Callable[[SettingsError], None]) -> None:
        self._file = file
        self._saved = saved
        self._failed = failed
        self._changed = threading.Condition()
        self._waiting: dict[str, Any] = {}
        self._closed = False
        self._thread: threading.Thread | None = None

    def later(self, paths: Mapping[str, Any]) -> None:
        """Write these soon, together with what else waits; returns at once."""
        with self._changed:
            self._waiting |= paths
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="aipg-settings", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def now(self, paths: Mapping[str, Any]) -> SettingsError | None:
        """Write these before returning; the error if they could not be written."""
        with self._changed:
            for path in paths:
                self._waiting.pop(path, None)       # an older value of the same setting
        return self._write(dict(paths))

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, but wait for it only so long."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                paths, self._waiting = self._waiting, {}
            self._write(paths)

    def _write(self, paths: dict[str, Any]) -> SettingsError | None:
        try:
            loaded = save_changes(self._file, paths)
        except SettingsError as error:
            failure = error
        except Exception as error:      # any other error is reported too
            _log.exception("writing the settings failed")
            failure = SettingsError("cannot be written: {why}", path=str(self._file), why=type(error).__name__,
                                    cure="See the log")
        else:
            self._saved(loaded.settings)
            return None
        self._failed(failure)
        return failure
