"""The layout of one stream's pictures: format, size, image circle, projection, and the buffers that hang on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.frames import Frame, PixelFormat
from aipg_plugin.geometry.camera import FisheyeCamera, ImageCircle, default_circle, find_image_circle
from aipg_plugin.geometry.circle_doubt import circle_doubt
from aipg_plugin.geometry.lens import LensLaw
from aipg_plugin.geometry.mount import Mount
from aipg_plugin.geometry.projection import Projection, make_projection
from aipg_plugin.guard.ring import BufferPool
from aipg_plugin.masking.painter import MaskPainter
from aipg_plugin.options import Camera, CaptureMode, Stream
from aipg_plugin.scene.background_image import BackgroundImage
from aipg_plugin.scene.change import SceneComparator

_CIRCLE_SIDE_PX = 640  # longer side of the picture the image circle is looked for in
_SEARCH_S = (1.0, 60.0)  # first and longest wait until a missing image circle is looked for again
_SAME_RAY = 0.015      # between two streams' rays: half a degree to one, 3 to 5 cm at 3 m, as much as masks are wider
_LIT_DEVIATION = 12.0  # grey levels: a picture flatter than this may be too dark to show its circle


@dataclass(frozen=True)
class Layout:
    """Everything that hangs on the size and format of a stream's pictures."""

    format: PixelFormat
    size_wh: tuple[int, int]
    pool: BufferPool
    painter: MaskPainter
    projection: Projection
    background: BackgroundImage
    comparator: SceneComparator
    circle_wanting: bool  # no image circle to rely on: the picture is too dark to show one, or `doubt` says why
    doubt: str            # why the image circle cannot be right, "" if it can; then the whole picture is masked

    @classmethod
    def of(cls, frame: Frame, camera: Camera, stream: Stream) -> Layout:
        """Open the geometry of a frame: the image circle is found in it if the settings do not give it."""
        fisheye = stream.capture_mode is CaptureMode.FISHEYE
        circle, settled, doubt = find_circle(frame, camera) if fisheye else (None, True, "")
        projection = project(camera, stream, frame.size_wh, circle or default_circle(frame.size_wh))
        return cls(frame.format, frame.size_wh, BufferPool(frame.format, frame.size_wh),
                   MaskPainter(frame.format, frame.size_wh), projection, BackgroundImage(frame.format, frame.size_wh),
                   SceneComparator(projection.valid_mask()), not settled or bool(doubt), doubt)

    def fits(self, frame: Frame) -> bool:
        """Whether a frame has this layout."""
        return frame.format is self.format and frame.size_wh == self.size_wh


class LayoutFinder:
    """Keeps the layout of one stream's pictures, and opens a new one when they change."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._search_s, self._search_wait_s = -float("inf"), _SEARCH_S[0]
        self.current: Layout | None = None

    def forget(self, stream: Stream) -> None:
        """New settings of the stream: the next frame opens a layout."""
        self._stream, self.current = stream, None

    def find(self, frame: Frame, camera: Camera, t_s: float) -> tuple[Layout, bool]:
        """The layout of a frame, and whether it was opened for this frame."""
        layout = self.current
        if layout is not None and layout.fits(frame) and not self._circle_came(layout, frame, camera, t_s):
            return layout, False
        self.current = layout = Layout.of(frame, camera, self._stream)
        return layout, True

    def _circle_came(self, layout: Layout, frame: Frame, camera: Camera, t_s: float) -> bool:
        """Whether a picture shows the image circle that the first one lacked."""
        if not layout.circle_wanting:
            self._search_wait_s, self._search_s = _SEARCH_S[0], -float("inf")
            return False
        if t_s < self._search_s:
            return False
        self._search_s = t_s + self._search_wait_s
        self._search_wait_s = min(2 * self._search_wait_s, _SEARCH_S[1])
        circle, settled, doubt = find_circle(frame, camera)
        if settled and circle is None and not doubt:
            self._search_s = float("inf")
        return circle is not None and not doubt


def find_circle(frame: Frame, camera: Camera) -> tuple[ImageCircle | None, bool, str]:
    """The image circle of a fisheye frame, as given or as seen, whether that is settled, and why it cannot be right.

    A lit picture without one has none; a dark or flat one cannot tell.
    """
    ratio = min(1.0, _CIRCLE_SIDE_PX / max(frame.size_wh))
    small_wh = (max(1, round(frame.size_wh[0] * ratio)), max(1, round(frame.size_wh[1] * ratio)))
    small = frame.to_bgr(small_wh)
    circle = locate_circle(camera, frame.size_wh, small)
    assumed = circle or default_circle(frame.size_wh)
    doubt = circle_doubt(small, assumed.scaled(small_wh[0] / frame.size_wh[0]))
    return circle, circle is not None or float(small.std()) >= _LIT_DEVIATION, doubt


def locate_circle(camera: Camera, size_wh: tuple[int, int], picture_bgr: NDArray[np.uint8]) -> ImageCircle | None:
    """Image circle of a fisheye picture in pixels of `size_wh`: as given, else found, else None."""
    w, h = size_wh
    if camera.lens.circle is not None:
        cx, cy, radius = camera.lens.circle
        return ImageCircle(cx * w, cy * h, radius * w)
    found = find_image_circle(picture_bgr)
    if found is None:
        return None
    scale = w / picture_bgr.shape[1]
    return ImageCircle(found.cx_px * scale, found.cy_px * scale, found.radius_px * scale)


def project(camera: Camera, stream: Stream, size_wh: tuple[int, int], circle: ImageCircle) -> Projection:
    """Projection of a stream's pictures of this size."""
    law = LensLaw(camera.lens.model, camera.lens.fov_deg, camera.lens.coefficients)
    return make_projection(stream.capture_mode, law=law, circle=circle, mount=mount_of(camera), size_wh=size_wh,
                           view=stream.view, views=stream.views)


def mount_of(camera: Camera) -> Mount:
    """Mount of a camera."""
    return Mount(camera.mount, camera.camera_height_m)


def same_view(one: Projection, other: Projection) -> bool:
    """Whether two fisheye projections show the same picture, at another size at most (main and sub stream).

    Dewarped views never count as the same: their seams make one figure several polygons, so they go by ray.
    """
    if not (isinstance(one, FisheyeCamera) and isinstance(other, FisheyeCamera)):
        return False
    (w1, h1), (w2, h2) = one.size_wh, other.size_wh
    corners = np.array([(0.1, 0.5), (0.5, 0.9), (0.7, 0.3)])
    rays = one.pixel_to_ray(corners * one.size_wh), other.pixel_to_ray(corners * other.size_wh)
    return (abs(w1 * h2 - w2 * h1) <= 0.02 * w1 * h2
            and bool(np.nanmax(np.abs(rays[0] - rays[1]), initial=0.0) < _SAME_RAY))


def detection_stream(camera: Camera) -> Stream:
    """The stream the detector looks at: the first fisheye one, else the first."""
    return next((stream for stream in camera.streams if stream.capture_mode is CaptureMode.FISHEYE), camera.streams[0])
