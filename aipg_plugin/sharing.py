"""Sets this process up for work whose many threads share the machine's cores."""

from __future__ import annotations

import sys

import cv2

_SWITCH_S = 0.001  # five times as often as by default: a frame's thread waits no longer for a look's than that


def share_processor() -> None:
    """Let Python change threads more often, and OpenCV start none: those of eight cameras, or of a file's stages, wait
    for cores as it is.
    """
    sys.setswitchinterval(_SWITCH_S)
    cv2.setNumThreads(1)
