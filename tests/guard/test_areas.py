"""Areas drawn on one stream hold on all of its camera's streams."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipg_plugin.geometry import FisheyeCamera, ImageCircle, LensLaw, Mount, Projection, make_projection, scaled
from aipg_plugin.guard.areas import MISSING, areas_of
from aipg_plugin.masking import FigureRegion, MaskPlan
from aipg_plugin.masking.region import RegionMap
from aipg_plugin.options import Area, Camera, CaptureMode, MountKind, PrivacyGuard, Source, Stream, View
from tests.guard.scenes import FPS, camera, frame, guard
from tests.strategies import numbers

LAW = LensLaw("equidistant", 184.0)
SIZES = {CaptureMode.FISHEYE: (120, 116), CaptureMode.PANORAMA: (181, 51), CaptureMode.DOUBLE_PANORAMA: (140, 90),
         CaptureMode.CORRIDOR: (71, 110)}
MODES = {Mount("ceiling", 3.0): [mode for mode in CaptureMode if mode is not CaptureMode.CORRIDOR],
         Mount("wall", 2.8): [mode for mode in CaptureMode if mode is not CaptureMode.DOUBLE_PANORAMA]}
PAIRS = [(mount, one, other) for mount, modes in MODES.items() for one in modes for other in modes if one is not other]
NAMES = [f"{mount.kind.value}: {one.value} to {other.value}" for mount, one, other in PAIRS]


@lru_cache
def projection_of(mode: CaptureMode, mount: Mount) -> Projection:
    single = mode in {CaptureMode.SINGLE_PTZ, CaptureMode.CORRIDOR}
    views = tuple(View(yaw, -20, 0, 70) for yaw in (-60, -20, 20, 60)) if mount.kind is MountKind.WALL else ()
    return make_projection(mode, law=LAW, circle=ImageCircle(61, 57, 56), mount=mount,
                           size_wh=SIZES.get(mode, (120, 100)), view=View(20, -40, 0, 90) if single else View(),
                           views=views if mode is CaptureMode.QUAD_PTZ else ())


@st.composite
def drawn(draw: st.DrawFn) -> Area:
    """A rectangle or a star-shaped polygon, also over borders of views and past the lens's rim."""
    if draw(st.booleans()):
        x0, y0, x1, y1 = (draw(numbers(0, 1)) for _ in range(4))
        points = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    else:
        x, y = draw(numbers(0.1, 0.9)), draw(numbers(0.1, 0.9))
        radii = draw(st.lists(numbers(0.03, 0.4), min_size=3, max_size=7))
        around = np.linspace(0, 2 * np.pi, len(radii), endpoint=False) + draw(numbers(0, 6))
        points = [(float(np.clip(x + r * np.cos(a), 0, 1)), float(np.clip(y + r * np.sin(a), 0, 1)))
                  for r, a in zip(radii, around, strict=True)]
    return Area(1, tuple(points), enabled=True, stream="1")


def truth(area: Area, source: Projection, target: Projection, within_px: float = -1e-3) -> np.ndarray:
    """(H, W) bool: the pixels of `target` that look at a place inside the area, as any view of `source` shows it.

    `within_px` in the source's pixels: how far outside counts as well.
    """
    w, h = target.size_wh
    rays = rays_of(target)
    outline = np.asarray(area.points, np.float64) * source.size_wh
    inside = np.zeros(len(rays), bool)
    for part in source.parts:
        px = np.where(np.isfinite(rays).all(axis=1)[:, None], part.to_pixel(np.nan_to_num(rays, nan=0.5)), np.nan)
        x0, y0, x1, y1 = part.rect
        in_view = (px[:, 0] >= x0) & (px[:, 0] <= x1) & (px[:, 1] >= y0) & (px[:, 1] <= y1)
        inside[in_view] |= signed_distance(px[in_view], outline) < within_px
    return inside.reshape(h, w)


def signed_distance(px: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(N,) distance of points to a polygon's edges, negative inside (even-odd)."""
    inside, away = np.zeros(len(px), bool), np.full(len(px), np.inf)
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        step = b - a
        along = np.clip((px - a) @ step / max(step @ step, 1e-12), 0, 1)
        away = np.minimum(away, np.hypot(*(px - a - along[:, None] * step).T))
        if a[1] != b[1]:
            crossing = step[0] * (px[:, 1] - a[1]) / step[1] + a[0]
            inside ^= ((a[1] > px[:, 1]) != (b[1] > px[:, 1])) & (px[:, 0] < crossing)
    return np.where(inside, -away, away)


def pixels(plan: MaskPlan, size_wh: tuple[int, int]) -> np.ndarray:
    region = RegionMap(size_wh)
    region.compose(plan, {})
    assert not region.full
    w, h = size_wh
    return np.repeat(np.repeat(region.level > 0, 2, axis=0), 2, axis=1)[:h, :w]


def set_up(pair: tuple[Mount, CaptureMode, CaptureMode]) -> tuple[Projection, Projection]:
    return projection_of(pair[1], pair[0]), projection_of(pair[2], pair[0])


ANY_AREA = Area(1, ((0.1, 0.15), (0.85, 0.3), (0.7, 0.95), (0.3, 0.7)), enabled=True, stream="1")


@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
@example(area=ANY_AREA)
@example(area=Area(1, ((0.34790308271150255, 0.5586994787253731), (0.3499354484524962, 0.7632942721390976),
                       (0.15006298375226354, 0.6705203649525711)), enabled=True, stream="1"))  # one pixel was left
@given(area=drawn())
@settings(deadline=None, max_examples=4)
def test_an_always_mask_area_masks_all_it_was_drawn_over_and_little_else(
        pair: tuple[Mount, CaptureMode, CaptureMode], area: Area) -> None:
    source, target = set_up(pair)
    found = areas_of(PrivacyGuard(always_mask_areas=(area,)), "2", target, lambda _: source)
    assert not found.missing
    mask, wanted = pixels(MaskPlan(always=found.always), target.size_wh), truth(area, source, target)
    assert mask[wanted].all()
    # An area may be thinner than a pixel and hold no pixel's centre, or be drawn where the source shows nothing.
    about = truth(area, source, target, 2.0) | rim(source, target)
    near = cv2.dilate(about.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert (mask & ~near & target.valid_mask()).mean() < 0.02


def rim(source: Projection, target: Projection) -> np.ndarray:
    """(H, W) bool: pixels of `target` about where the source's lens ends."""
    seen = np.isfinite(source.ray_to_pixel(rays_of(target))[:, 0]).reshape(target.size_wh[::-1]).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(seen, cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0)


@lru_cache
def rays_of(projection: Projection) -> np.ndarray:
    w, h = projection.size_wh
    return projection.pixel_to_ray(np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), -1).reshape(-1, 2))


@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
@example(area=ANY_AREA, seed=1)
@given(area=drawn(), seed=st.integers(0, 2 ** 32 - 1))
@settings(deadline=None, max_examples=4)
def test_a_prohibited_area_clears_nobody_who_is_not_wholly_inside(
        pair: tuple[Mount, CaptureMode, CaptureMode], area: Area, seed: int) -> None:
    source, target = set_up(pair)
    found = areas_of(PrivacyGuard(prohibited_areas=(area,)), "2", target, lambda _: source)
    inside = truth(area, source, target) | ~target.valid_mask()
    rng = np.random.default_rng(seed)
    places = rng.random((30, 2)) * target.size_wh
    for x, y in places:
        w, h = rng.uniform(1, 18, 2)
        square = np.array([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], np.float32)
        view = target.parts[int(target.part_of([(x + w / 2, y + h / 2)])[0])].rect
        figure = FigureRegion(1, (square,), 1.0, 8, (view,))
        mask = pixels(MaskPlan((figure,)), target.size_wh)
        if mask.any() and not pixels(MaskPlan((figure,), prohibited=found.prohibited), target.size_wh).any():
            assert inside[mask & in_rect(view, target.size_wh)].all()


def in_rect(rect: tuple[float, float, float, float], size_wh: tuple[int, int]) -> np.ndarray:
    x, y = np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1])[:, None] + 0.5
    return (x >= rect[0]) & (x <= rect[2]) & (y >= rect[1]) & (y <= rect[3])


@pytest.mark.parametrize("pair", PAIRS, ids=NAMES)
def test_a_prohibited_area_over_all_of_a_stream_clears_who_is_well_inside_it(
        pair: tuple[Mount, CaptureMode, CaptureMode]) -> None:
    source, target = (scaled(each, (2 * each.size_wh[0], 2 * each.size_wh[1])) for each in set_up(pair))
    whole = Area(1, ((0, 0), (1, 0), (1, 1), (0, 1)), enabled=True, stream="1")
    found = areas_of(PrivacyGuard(prohibited_areas=(whole,)), "2", target, lambda _: source)
    inside = truth(whole, source, target)
    deep = cv2.erode(inside.astype(np.uint8), np.ones((31, 31), np.uint8), borderValue=0)
    # Away from the borders of the source's own views, which hold one place each.
    edges = np.zeros_like(inside)
    for part in source.parts:
        x0, y0, x1, y1 = part.rect
        rim = Area(2, tuple((x / source.size_wh[0], y / source.size_wh[1]) for x, y in [
            (x0 + 6, y0 + 6), (x1 - 6, y0 + 6), (x1 - 6, y1 - 6), (x0 + 6, y1 - 6)]), enabled=True)
        edges |= truth(rim, source, target)
    deep &= cv2.erode(edges.astype(np.uint8), np.ones((31, 31), np.uint8), borderValue=0)
    for y, x in np.argwhere(deep)[::397]:
        square = np.array([(x - 4, y - 4), (x + 4, y - 4), (x + 4, y + 4), (x - 4, y + 4)], np.float32)
        figure = FigureRegion(1, (square,), 2.0, 8, (target.parts[int(target.part_of([(x, y)])[0])].rect,))
        assert not pixels(MaskPlan((figure,), prohibited=found.prohibited), target.size_wh).any()


def test_an_area_drawn_over_two_strips_is_carried_from_both() -> None:
    mount = Mount("ceiling", 3.0)
    double, fisheye = projection_of(CaptureMode.DOUBLE_PANORAMA, mount), projection_of(CaptureMode.FISHEYE, mount)
    area = Area(1, ((0.4, 0.3), (0.6, 0.3), (0.6, 0.7), (0.4, 0.7)), enabled=True, stream="1")
    found = areas_of(PrivacyGuard(always_mask_areas=(area,)), "2", fisheye, lambda _: double)
    mask = pixels(MaskPlan(always=found.always), fisheye.size_wh)
    assert mask[57, 61]          # the nadir, at the foot of the upper strip
    assert mask[57 - 18, 61]     # the foot of the upper strip
    assert mask[57 + 45, 61]     # the head of the lower strip
    assert not mask[57 - 36, 61]
    assert not mask[57 + 18, 61]


# The guard with two streams.

TWO = replace(camera(target_streams=("1", "2")), streams=(
    Stream("1", Source("none")), Stream("2", Source("none"), capture_mode=CaptureMode.DOUBLE_PANORAMA)))
LEFT = Area(1, ((0.0, 0.2), (0.3, 0.2), (0.3, 0.8), (0.0, 0.8)), enabled=True, stream="1")


def with_areas(*always: Area, of: Camera = TWO) -> Camera:
    return replace(of, privacy_guard=replace(of.privacy_guard, always_mask_areas=always))


def show(subject: object, indices: range, streams: str = "12") -> dict[str, list]:
    out: dict[str, list] = {"1": [], "2": []}
    for index in indices:
        for stream in streams:
            out[stream] += subject.process(frame(index, stream=stream))  # type: ignore[attr-defined]
    return out


def clear(guarded: object, index: int) -> np.ndarray:
    """(H, W) bool: the luma samples of stream 2 that left as they came."""
    came = frame(index, stream="2").planes[0]
    return np.abs(guarded.planes[0].astype(int) - came.astype(int)) == 0  # type: ignore[attr-defined]


def test_an_always_mask_area_of_the_first_stream_is_masked_in_the_second() -> None:
    subject = guard(with_areas(LEFT))
    out = show(subject, range(8))["2"]
    assert out[-1].state == "guarding"
    source, target = subject.stream("1").layout.projection, subject.stream("2").layout.projection  # type: ignore[union-attr]
    assert isinstance(source, FisheyeCamera)
    wanted = truth(LEFT, source, target)
    masked = ~clear(out[-1], out[-1].seq)
    assert wanted.mean() > 0.05
    assert masked[wanted].mean() > 0.95     # a cell's colour may be that of the picture now and then
    assert masked.mean() < 0.7


def test_a_stream_waits_masked_whole_until_the_area_drawn_on_another_has_a_place() -> None:
    below = replace(TWO, streams=(TWO.streams[0], TWO.streams[1], Stream("3", Source("none"))))
    on_third = replace(LEFT, stream="3")
    subject = guard(with_areas(on_third, of=below))
    out = show(subject, range(6))
    for stream in "12":
        assert {guarded.state.value for guarded in out[stream][2:]} == {"failsafe"}
        assert out[stream][-1].reason == MISSING
    subject.process(frame(6, stream="3"))
    out = show(subject, range(6, 12))
    assert {out[stream][-1].state.value for stream in "12"} == {"guarding"}


def test_an_area_that_is_off_or_prohibits_waits_for_nobody() -> None:
    off = replace(LEFT, enabled=False, stream="3")
    three = replace(TWO, streams=(*TWO.streams, Stream("3", Source("none"))))
    prohibited = replace(three.privacy_guard, always_mask_areas=(off,),
                         prohibited_areas=(replace(LEFT, stream="3"),))
    out = show(guard(replace(three, privacy_guard=prohibited)), range(6))
    assert {out[stream][-1].state.value for stream in "12"} == {"guarding"}


def test_an_area_drawn_while_it_runs_holds_on_every_stream_from_the_next_frame_on() -> None:
    subject = guard(TWO)
    out = show(subject, range(8))["2"]
    subject.configure(with_areas(LEFT))
    out = show(subject, range(8, 16))["2"]
    source, target = subject.stream("1").layout.projection, subject.stream("2").layout.projection  # type: ignore[union-attr]
    wanted = truth(LEFT, source, target)
    for guarded in out:
        masked = ~clear(guarded, guarded.seq)
        assert masked[wanted].mean() > 0.95, FPS
