"""The shipped nets on the sample clip, whose truth is exact."""

import json

import av
import cv2
import numpy as np
import pytest

from aipg_plugin.detection.detector import FisheyeDetector
from aipg_plugin.detection.manifest import manifest
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.detection.tiles import LIVE, THOROUGH
from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount
from aipg_plugin.geometry.boxes import iou, to_pixels
from aipg_plugin.options import LensModelName, Models, MountKind, Sensitivity
from aipg_plugin.resources import resource_path
from aipg_plugin.thresholds import thresholds

CLIP, TRUTH = resource_path("samples", "lobby.mp4"), resource_path("samples", "lobby.truth.json")


@pytest.mark.parametrize("tier", ["standard", "small"])
def test_everybody_in_the_sample_is_found_and_their_heads_are_masked(tier: str) -> None:
    if not CLIP.is_file() or not any((e.tier, e.precision) == (tier, "fp32") for e in manifest()):
        pytest.skip(f"no {tier}/fp32 model or no sample clip yet")
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, truth["fov_deg"]), ImageCircle(*truth["circle_px"]),
                           tuple(truth["size_wh"]))
    detector = FisheyeDetector(load_model(Models(tier=tier, threads=1)), camera,
                               Mount(MountKind.CEILING, truth["height_m"]))
    scale = detector.size_wh[0] / camera.size_wh[0]
    with av.open(str(CLIP)) as container:
        pictures = {i: f.to_ndarray(format="bgr24") for i, f in enumerate(container.decode(video=0)) if i % 60 == 0}
    people = missed = heads = bare = 0
    for index, picture in pictures.items():
        small = np.asarray(cv2.resize(picture, detector.size_wh, interpolation=cv2.INTER_AREA))
        found = detector.detect(small)
        found = found.select(found.scores >= thresholds(Sensitivity.HIGH).on_score)
        mask = np.zeros(detector.size_wh[::-1], np.uint8)
        for box, outline in zip(found.boxes, found.outlines, strict=True):
            cv2.fillPoly(mask, [np.round(to_pixels(box, outline)).astype(np.int32)], 1)
        for person in truth["frames"][index]["persons"]:
            if person["ignore"] or person["visible"] < 0.5:
                continue
            box = np.array([person["box"]]) * [scale, scale, scale, scale, 1]
            people, missed = people + 1, missed + (iou(found.boxes, box).max(initial=0) < 0.3)
            if person["head"] is not None:
                x, y, _ = np.array(person["head"]) * scale
                heads, bare = heads + 1, bare + (mask[int(y), int(x)] == 0)
    assert people >= 12
    assert missed <= 0.1 * people
    assert bare <= 0.1 * heads


def test_the_small_tier_looks_at_smaller_tiles() -> None:
    camera = FisheyeCamera(LensLaw(LensModelName.EQUIDISTANT, 180.0), ImageCircle(640, 640, 630), (1280, 1280))
    for plan in (LIVE, THOROUGH):
        sides = {tier: {tile.input_px for tile in FisheyeDetector(load_model(Models(tier=tier)), camera,
                                                                  Mount(MountKind.CEILING, 3.0), plan=plan).tiles}
                 for tier in ("small", "standard")}
        assert sides["small"] == {288}
        assert min(sides["standard"]) > 288
