"""A stand-in for Viseron: only those of its interfaces that our component touches, as its source has them.

Read, not run: Viseron's development version of November 2026 (components and object detector at 14b5864d, camera at
0005e93a, NVR at 02e60784) and the 3.x files `domains/camera/shared_frames.py` and `components/ffmpeg/stream.py`:

- `viseron.components` is a package; the component `x` is the module `viseron.components.x` with `CONFIG_SCHEMA`,
  `setup(vis, config)` and `setup_domains(vis, config)`, both given the whole configuration; one that raises or returns
  False is left out and Viseron goes on.
- `vis.data` is a dict; `vis.register_signal_handler("shutdown", callback)`.
- A decoded frame is stored with `camera.shared_frames.create(shared_frame, frame_bytes)`, then a reference to it is
  dispatched as the event `<camera>/camera/frame_bytes`; everybody reads it with `get_decoded_frame`.
- `setup_domain(vis, component, domain, config, identifier=, require_domains=)` makes Viseron import
  `viseron.components.<component>.<domain>` and call its `setup(vis, config, identifier)`.
- Every camera derives from `AbstractCamera(vis, component, config, identifier)`, which has `start_camera` and
  `stop_camera`; a set-up that raises leaves the camera out. A reload makes new cameras of what has changed.
- `Go2RTC(vis, config)` hands go2rtc its part of the whole configuration.
- `AbstractObjectDetector(vis, component, config, camera_identifier)` has `_camera`, and calls `preprocess` and
  `return_objects`, which gives `DetectedObject`s.
"""

from __future__ import annotations

import importlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import voluptuous as vol


class SharedFrame:
    """What the event carries: no pixels."""

    def __init__(self, size_wh: tuple[int, int], pixel_format: str, camera_identifier: str) -> None:
        self.name = uuid.uuid4()
        self.color_plane_width, self.color_plane_height = size_wh[0], int(size_wh[1] * 1.5)
        self.pixel_format, self.resolution, self.camera_identifier = pixel_format, size_wh, camera_identifier
        self.capture_time = time.time()


class SharedFrames:
    """The store of a camera's frames."""

    def __init__(self, vis: object) -> None:
        self._frames: dict[object, np.ndarray] = {}

    def create(self, shared_frame: SharedFrame, frame_bytes: bytes) -> None:
        self._frames[shared_frame.name] = np.frombuffer(frame_bytes, np.uint8).reshape(
            shared_frame.color_plane_height, shared_frame.color_plane_width)

    def get_decoded_frame(self, shared_frame: SharedFrame) -> np.ndarray:
        return self._frames[shared_frame.name]


@dataclass
class RequireDomain:
    domain: str
    identifier: str


@dataclass
class DetectedObject:
    label: str
    confidence: float
    box: tuple[float, float, float, float]

    @classmethod
    def from_absolute(cls, label: str, confidence: float, x1: float, y1: float, x2: float, y2: float, *,
                      frame_res: tuple[int, int], model_res: tuple[int, int]) -> DetectedObject:
        assert frame_res == model_res
        return cls(label, confidence, (x1 / model_res[0], y1 / model_res[1], x2 / model_res[0], y2 / model_res[1]))


class AbstractObjectDetector:
    def __init__(self, vis: Viseron, component: str, config: dict[str, Any], camera_identifier: str) -> None:
        self._camera = vis.cameras[camera_identifier]
        self._config, self._camera_identifier = config, camera_identifier
        vis.domains["object_detector", camera_identifier] = self


class AbstractCamera:
    """The base of the cameras of every component; `recording` stands for the FFmpeg that writes segments."""

    def __init__(self, vis: Viseron, component: str, config: dict[str, Any], identifier: str) -> None:
        self.identifier, self.config, self.recording = identifier, config, False
        self.shared_frames = SharedFrames(vis)

    def start_camera(self) -> None:
        self.recording = True

    def stop_camera(self) -> None:
        self.recording = False

    @property
    def is_on(self) -> bool:
        return self.recording


class Go2RTC:
    """Writes go2rtc's own configuration and restarts it."""

    def __init__(self, vis: Viseron, config: dict[str, Any]) -> None:
        self.config = config


class Camera(AbstractCamera):
    """A camera of the ffmpeg component, its reader thread replaced by `decoded`."""

    def __init__(self, identifier: str, resolution: tuple[int, int], vis: Any = None,
                 config: dict[str, Any] | None = None) -> None:
        super().__init__(vis, "ffmpeg", config or {}, identifier)
        self.resolution = resolution

    def decoded(self, data: bytes, pixel_format: str = "nv12") -> SharedFrame:
        """A frame has come out of FFmpeg: store it, as `Stream.read` does."""
        frame = SharedFrame(self.resolution, pixel_format, self.identifier)
        self.shared_frames.create(frame, data)
        return frame


@dataclass
class Viseron:
    data: dict[str, Any] = field(default_factory=dict)
    cameras: dict[str, Camera] = field(default_factory=dict)
    domains: dict[tuple[str, str], Any] = field(default_factory=dict)
    handlers: list[Callable[[], None]] = field(default_factory=list)

    def register_signal_handler(self, signal: str, callback: Callable[[], None]) -> None:
        assert signal == "shutdown"
        self.handlers.append(callback)

    def shutdown(self) -> None:
        for callback in self.handlers:
            callback()

    def start(self, config: dict[str, Any], component: str = "aipg") -> bool:
        """Set one component up as Viseron's `Component.setup_component` and `setup_domains` do."""
        module = importlib.import_module(f"viseron.components.{component}")
        checked = module.CONFIG_SCHEMA(config)
        if not module.setup(self, checked):
            return False
        if checked.get("go2rtc"):
            self.data["go2rtc"] = Go2RTC(self, checked)
        module.setup_domains(self, checked)
        return True


    def reload(self, config: dict[str, Any]) -> None:
        """Set the cameras of a changed configuration up anew, as its reload does; one that raises is left out."""
        if config.get("go2rtc"):
            with suppress(RuntimeError):
                self.data["go2rtc"] = Go2RTC(self, config)
        for name, camera in config["ffmpeg"]["camera"].items():
            if name in self.cameras:
                self.cameras.pop(name).stop_camera()
            with suppress(RuntimeError):
                self.cameras[name] = Camera(name, (480, 480), self, validated(camera))
                self.cameras[name].start_camera()


def validated(camera: dict[str, Any]) -> dict[str, Any]:
    """A camera's configuration as Viseron's schema completes it."""
    return {"stream_format": "rtsp", "protocol": None, "raw_command": None, "substream": None,
            "still_image": {"url": None}, **camera}


def setup_domain(vis: Viseron, component: str, domain: str, config: dict[str, Any], *, identifier: str,
                 require_domains: list[RequireDomain]) -> None:
    assert all(need.domain == "camera" and need.identifier in vis.cameras for need in require_domains)
    importlib.import_module(f"viseron.components.{component}.{domain}").setup(vis, config, identifier)


@contextmanager
def installed() -> Iterator[None]:
    """Put the double where `import viseron` finds it, and take it away again, with all that was imported under it."""
    contents: dict[str, dict[str, Any]] = {
        "viseron": {}, "viseron.components": {},
        "viseron.domains": {"RequireDomain": RequireDomain, "setup_domain": setup_domain},
        "viseron.components.go2rtc": {"Go2RTC": Go2RTC},
        "viseron.domains.camera": {"AbstractCamera": AbstractCamera},
        "viseron.domains.camera.shared_frames": {"SharedFrames": SharedFrames},
        "viseron.domains.object_detector": {
            "AbstractObjectDetector": AbstractObjectDetector,
            "BASE_CONFIG_SCHEMA": vol.Schema({vol.Required("cameras"): {str: vol.Any(dict, None)}})},
        "viseron.domains.object_detector.detected_object": {"DetectedObject": DetectedObject}}
    for name, values in contents.items():
        module = ModuleType(name)
        module.__path__ = []
        module.__dict__.update(values)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "viseron"]:
            del sys.modules[name]
