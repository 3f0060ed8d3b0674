"""Looks at every camera that Viseron sets up or starts: a reload makes cameras long after the first check.

Standard library only and Python 3.10: this module also runs where nothing else of ours is installed.
"""

from __future__ import annotations

import inspect
import logging
import weakref
from collections.abc import Callable, Mapping
from typing import Any

_log = logging.getLogger(__name__)
Faults = Callable[[str, Mapping[str, Any]], "list[str]"]


class UnsafeCameraError(RuntimeError):
    """A camera that would be recorded raw, or a go2rtc that would show one."""


class Watch:
    """Refuses to set up, and stops, what `faults` objects to; the faults of one thing are texts for the log.

    `faults` is given a camera's identifier and its configuration as Viseron validated it.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._cameras: weakref.WeakSet[Any] = weakref.WeakSet()
        self._wrapped: list[tuple[type[Any], str, Any]] = []

    def cameras(self, camera_class: type[Any]) -> None:
        """Watch a base class of cameras: its `__init__` and `start_camera` (Viseron's `AbstractCamera`)."""
        created, started = camera_class.__init__, camera_class.start_camera
        signature, watch = inspect.signature(created), self

        def create(self: Any, *args: Any, **kwargs: Any) -> None:
            given = signature.bind(self, *args, **kwargs).arguments
            watch._refuse(given["identifier"], given["config"])
            created(self, *args, **kwargs)
            watch._cameras.add(self)
            watch.look_again()

        def start_camera(self: Any, *args: Any, **kwargs: Any) -> None:
            found = watch._faults(self.identifier, self.config)
            if found:
                _told(self.identifier, found)
                return
            started(self, *args, **kwargs)

        self._replace(camera_class, "__init__", create)
        self._replace(camera_class, "start_camera", start_camera)

    def go2rtc(self, go2rtc_class: type[Any], faults: Callable[[object], list[str]]) -> None:
        """Watch Viseron's `Go2RTC`, whose `config` is the whole configuration: it shows its streams live."""
        created = go2rtc_class.__init__
        signature = inspect.signature(created)

        def create(self: Any, *args: Any, **kwargs: Any) -> None:
            given = signature.bind(self, *args, **kwargs).arguments
            found = faults(given["config"].get("go2rtc"))
            if found:
                _told("go2rtc", found)
                raise UnsafeCameraError(found[0])
            created(self, *args, **kwargs)

        self._replace(go2rtc_class, "__init__", create)

    def look_again(self) -> None:
        """Judge the cameras that are set up already: what is known of raw cameras may have grown since."""
        for camera in list(self._cameras):
            found = self._faults(camera.identifier, camera.config)
            if found and getattr(camera, "is_on", True):
                _told(camera.identifier, found)
                camera.stop_camera()

    def end(self) -> None:
        """Take the watch away."""
        for owner, name, stored in reversed(self._wrapped):
            setattr(owner, name, stored)
        self._wrapped.clear()

    def _refuse(self, identifier: str, config: Mapping[str, Any]) -> None:
        found = self._faults(identifier, config)
        if found:
            _told(identifier, found)
            raise UnsafeCameraError(found[0])

    def _replace(self, owner: type[Any], name: str, new: Any) -> None:
        self._wrapped.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)


def _told(what: str, found: list[str]) -> None:
    for text in found:
        _log.critical("%s is stopped, people would be visible: %s", what, text)
