"""Who is seen in a guarded stream, as the XML documents of an ONVIF metadata stream: boxes and scores, no pixel.

Elements are those of the ONVIF Scene Description (Analytics Service Specification §5) in version 10 of the schema.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from aipg_plugin.frames import GuardedFrame
from aipg_plugin.geometry import boxes as box_ops
from aipg_plugin.guard.layout import detection_stream
from aipg_plugin.media.encoded import CLOCK_HZ
from aipg_plugin.media.fanout import Chunk
from aipg_plugin.media.served import stream_name
from aipg_plugin.media.server import StreamServer
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.onvif.soap import SCHEMA
from aipg_plugin.options import Camera, Settings

_MOST_WAITING = 64  # looks whose frame has not left: more than a look-ahead holds


def has_metadata(camera: Camera, stream_id: str) -> bool:
    """Whether a stream's pictures are those people are found in: boxes are not carried into other views."""
    return detection_stream(camera).id == stream_id


class PeopleMetadata:
    """A watcher of the App that hands who was seen to the metadata tracks.

    A look is told with the first frame that leaves of its moment or later, so that VMSs draw boxes where people are:
    frames leave after their look-ahead.
    """

    def __init__(self, settings: Callable[[], Settings], server: Callable[[], StreamServer | None]) -> None:
        self._settings, self._server = settings, server
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[tuple[float, tuple[TrackReport, ...]]]] = {}

    def figures(self, camera_id: str, t_s: float, reports: tuple[TrackReport, ...]) -> None:
        """See `app.Watcher`."""
        with self._lock:
            self._waiting.setdefault(camera_id, deque(maxlen=_MOST_WAITING)).append((t_s, reports))

    def guarded(self, camera_id: str, frame: GuardedFrame) -> None:
        """See `app.Watcher`."""
        server = self._server()
        camera = next((camera for camera in self._settings().cameras if camera.id == camera_id), None)
        if server is None or camera is None or not has_metadata(camera, frame.stream):
            return
        reports = self._due(camera_id, frame.wall_time_s)
        served = server.served(stream_name(camera_id, frame.stream))
        if reports is not None and served is not None and len(served.stream.metadata):
            now_s = time.time()
            document = scene(reports, frame.size_wh, now_s)
            served.stream.metadata.send(Chunk(document, round(now_s * CLOCK_HZ), True))

    def changed(self, origin: str, before: Settings, after: Settings) -> None:  # noqa: ARG002 - see app.Watcher
        """See `app.Watcher`."""
        with self._lock:
            kept = {camera.id for camera in after.cameras}
            self._waiting = {name: waiting for name, waiting in self._waiting.items() if name in kept}

    def _due(self, camera_id: str, t_s: float) -> tuple[TrackReport, ...] | None:
        """The newest look at a moment up to `t_s` that was not told; None without one."""
        reports = None
        with self._lock:
            waiting = self._waiting.get(camera_id, deque())
            while waiting and (waiting[0][0] <= t_s or len(waiting) == _MOST_WAITING):
                _, reports = waiting.popleft()
        return reports


def scene(reports: Sequence[TrackReport], size_wh: tuple[int, int], now_s: float) -> bytes:
    """The document of one moment: `now_s`, epoch seconds, is when its frame leaves, by the clock of RTCP's reports.

    Coordinates are ONVIF's: -1 to 1 from left to right and from bottom to top. A polygon has the turned box.
    """
    moment = datetime.fromtimestamp(now_s, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    objects = "".join(_object(report, size_wh) for report in reports)
    return (f'<?xml version="1.0" encoding="UTF-8"?><tt:MetadataStream xmlns:tt="{SCHEMA}"><tt:VideoAnalytics>'
            f'<tt:Frame UtcTime="{moment}Z">{objects}</tt:Frame></tt:VideoAnalytics></tt:MetadataStream>').encode()


def _object(report: TrackReport, size_wh: tuple[int, int]) -> str:
    size = np.array(size_wh, np.float64)
    cx, cy, w, h, angle_deg = report.box
    corners_px = box_ops.corners([(cx * size[0], cy * size[1], w * size[0], h * size[1], angle_deg)])[0]
    corners = (2 * corners_px / size - 1) * (1, -1)
    (left, bottom), (right, top) = np.clip([corners.min(axis=0), corners.max(axis=0)], -1, 1)
    points = "".join(f'<tt:Point x="{x:.4f}" y="{y:.4f}"/>' for x, y in corners)
    box = f'<tt:BoundingBox left="{left:.4f}" top="{top:.4f}" right="{right:.4f}" bottom="{bottom:.4f}"/>'
    likelihood = f"{min(1.0, max(0.0, report.score)):.3f}"
    shape = (f'<tt:Shape>{box}<tt:CenterOfGravity x="{2 * cx - 1:.4f}" y="{1 - 2 * cy:.4f}"/><tt:Polygon>{points}'
             "</tt:Polygon></tt:Shape>")
    kind = (f"<tt:Class><tt:ClassCandidate><tt:Type>Human</tt:Type><tt:Likelihood>{likelihood}</tt:Likelihood>"
            f'</tt:ClassCandidate><tt:Type Likelihood="{likelihood}">Human</tt:Type></tt:Class>')
    return f'<tt:Object ObjectId="{report.id}"><tt:Appearance>{shape}{kind}</tt:Appearance></tt:Object>'
