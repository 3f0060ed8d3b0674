"""What is doubtful about a camera's picture, in words: for `check` and `redact`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aipg_plugin.geometry.circle import ImageCircle, default_circle, find_image_circle, find_rim
from aipg_plugin.geometry.circle_doubt import agrees, circle_doubt, shows_fisheye
from aipg_plugin.options import Camera, CaptureMode, Stream


def picture_warnings(bgr: NDArray[np.uint8], camera: Camera, stream: Stream) -> list[str]:
    """Warnings about a (H, W, 3) uint8 picture: an image circle that cannot be, or another capture mode than given."""
    if stream.capture_mode is not CaptureMode.FISHEYE:
        return [f"the picture shows the image circle of a fisheye lens, but capture_mode is {stream.capture_mode}; "
                "people will be missed"] if shows_fisheye(bgr) else []
    h, w = bgr.shape[:2]
    if camera.lens.circle is None:
        circle = find_image_circle(bgr) or default_circle((w, h))
    else:
        cx, cy, radius = camera.lens.circle
        circle = ImageCircle(cx * w, cy * h, radius * w)
    doubt = circle_doubt(bgr, circle)
    if doubt:
        return [f"{doubt}; the whole picture is masked. Correct the picture, lens.circle or capture_mode"]
    if camera.lens.circle is None:
        return [] if find_rim(bgr) is not None else [
            "no rim of an image circle is seen, the one around the picture is assumed; give lens.circle, or "
            "capture_mode if this is no fisheye picture"]
    return [] if agrees(bgr, circle) else ["the picture shows its image circle elsewhere than lens.circle says"]
