"""The guard's people as Viseron's detections, whether it runs inside Viseron or beside it."""

from __future__ import annotations

from typing import Any

from viseron.domains.object_detector import BASE_CONFIG_SCHEMA, AbstractObjectDetector
from viseron.domains.object_detector.detected_object import DetectedObject

from . import COMPONENT, DETECTOR


def setup(vis: Any, config: dict[str, Any], identifier: str) -> bool:
    """Set up the object detector of one camera."""
    RemoteObjectDetector(vis, BASE_CONFIG_SCHEMA(config[DETECTOR]), identifier)  # the domain's base class registers it
    return True


class RemoteObjectDetector(AbstractObjectDetector):  # type: ignore[misc]
    """Needs no look of its own at Viseron's frames, which are masked: the guard has seen the clear ones."""

    def __init__(self, vis: Any, config: dict[str, Any], camera_identifier: str) -> None:
        self._people = vis.data[COMPONENT].people
        super().__init__(vis, COMPONENT, config, camera_identifier)

    def preprocess(self, frame: Any) -> Any:
        """Frames go unused."""
        return frame

    def return_objects(self, frame: Any) -> list[Any]:  # noqa: ARG002
        """People tracked now."""
        width, height = self._camera.resolution
        return [DetectedObject.from_absolute("person", score, x1 * width, y1 * height, x2 * width, y2 * height,
                                             frame_res=(width, height), model_res=(width, height))
                for score, x1, y1, x2, y2 in self._people(self._camera_identifier)]
