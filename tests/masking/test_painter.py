"""What is in the picture after painting, on every plane."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aipg_plugin.errors import GuardError
from aipg_plugin.frames import PixelFormat, Planes, planes_to_bgr
from aipg_plugin.masking import AreaRegion, Background, MaskPainter, MaskPlan
from aipg_plugin.masking.cells import LADDER_PX, full_mosaic_cell_px
from aipg_plugin.masking.palette import HOLD_S
from aipg_plugin.options import MaskingMethod

from .support import (
    BGR,
    I420,
    NV12,
    chroma_mask,
    copy,
    figure,
    figures,
    formats,
    inner,
    noise,
    other_under,
    polygons,
    rectangle,
    same,
    sizes,
)

SIZE = (61, 45)
AREA = rectangle(6, 5, 61, 45)
METHODS = st.sampled_from(list(MaskingMethod))
PLANS = st.builds(MaskPlan, figures=figures, always=st.lists(polygons, max_size=1).map(tuple),
                  prohibited=st.lists(polygons, max_size=2).map(lambda found: (AreaRegion(tuple(found)),)),
                  method=METHODS,
                  circumferential=st.none() | st.just((30.0, 20.0, 25.0)), full=st.booleans(),
                  default_cell_px=st.sampled_from(LADDER_PX))


def paint(pixel_format: PixelFormat, size_wh: tuple[int, int], planes: Planes, plan: MaskPlan,
          painter: MaskPainter | None = None, *, t_s: float = 0.0) -> tuple[Planes, np.ndarray]:
    """Paint a copy; returns it and the mask."""
    painter = painter or MaskPainter(pixel_format, size_wh)
    work = copy(planes)
    share = painter.paint(work, plan, t_s)
    assert 0 <= share <= 1
    assert (share == 0) == (not painter.mask.any())
    return work, painter.mask


@settings(max_examples=150, deadline=None)
@given(formats, sizes, PLANS)
def test_nothing_outside_the_mask_changes_on_any_plane(
        pixel_format: PixelFormat, size_wh: tuple[int, int], plan: MaskPlan) -> None:
    clear = noise(pixel_format, size_wh)
    masked, mask = paint(pixel_format, size_wh, clear, plan)
    assert mask.shape == size_wh[::-1]
    assert np.array_equal(masked[0][mask == 0], clear[0][mask == 0])
    for before, after in zip(clear[1:], masked[1:], strict=True):
        outside = ~chroma_mask(mask)
        assert np.array_equal(after[outside], before[outside])
    assert np.array_equal(np.repeat(np.repeat(chroma_mask(mask), 2, 0), 2, 1)[:size_wh[1], :size_wh[0]], mask > 0)


@settings(max_examples=100, deadline=None)
@given(formats, sizes, st.sampled_from(LADDER_PX[:6]), polygons, st.floats(0, 20))
def test_each_cell_has_one_colour_inside_the_mask(
        pixel_format: PixelFormat, size_wh: tuple[int, int], cell_px: int, polygon: np.ndarray, margin: float) -> None:
    plan = MaskPlan(figures=(figure(polygon, cell_px=cell_px, margin_px=margin),))
    masked, mask = paint(pixel_format, size_wh, noise(pixel_format, size_wh), plan)
    inside = [inner(mask)] + [chroma_mask(mask)] * (len(masked) - 1)
    for plane, bits, step in zip(masked, inside, (1, 2, 2), strict=False):
        side = cell_px // step
        for y in range(0, plane.shape[0], side):
            for x in range(0, plane.shape[1], side):
                cell = plane[y:y + side, x:x + side][bits[y:y + side, x:x + side]]
                assert (cell == cell[:1]).all()


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("size_wh", [(1, 1), (1, 9), (9, 1), (2, 3), (65, 33), (320, 241)])
def test_full_mosaic_covers_every_size(pixel_format: PixelFormat, size_wh: tuple[int, int]) -> None:
    clear = noise(pixel_format, size_wh)
    painter = MaskPainter(pixel_format, size_wh)
    masked, mask = paint(pixel_format, size_wh, clear, MaskPlan(full=True, default_cell_px=8), painter)
    assert (mask == 255).all()
    cell = full_mosaic_cell_px(size_wh, 8)
    for plane, step in zip(masked, (1, 2, 2), strict=False):
        cells = -(-plane.shape[0] * step // cell) * -(-plane.shape[1] * step // cell)
        assert len(np.unique(plane.reshape(plane.shape[0] * plane.shape[1], -1), axis=0)) <= cells
    assert painter.paint(copy(clear), MaskPlan(full=True), 0.0) == 1.0


@settings(max_examples=60, deadline=None)
@given(sizes, PLANS, st.floats(0, 3))
def test_nv12_is_masked_as_i420(size_wh: tuple[int, int], plan: MaskPlan, later_s: float) -> None:
    one, two = MaskPainter(I420, size_wh), MaskPainter(NV12, size_wh)
    for n, t_s in enumerate((0.0, later_s)):
        y, u, v = noise(I420, size_wh, n)
        a, _ = paint(I420, size_wh, (y, u, v), plan, one, t_s=t_s)
        b, _ = paint(NV12, size_wh, (y, np.stack([u, v], axis=-1)), plan, two, t_s=t_s)
        assert same(a, (b[0], b[1][..., 0], b[1][..., 1]))


@settings(max_examples=60, deadline=None)
@given(formats, sizes, PLANS)
def test_filling_does_not_depend_on_what_it_covers(
        pixel_format: PixelFormat, size_wh: tuple[int, int], plan: MaskPlan) -> None:
    plan = replace(plan, method=MaskingMethod.FILLING)
    clear = noise(pixel_format, size_wh, 1)
    one, mask = paint(pixel_format, size_wh, clear, plan)
    two, _ = paint(pixel_format, size_wh, other_under(clear, mask, 2), plan)
    assert same(one, two)


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_filling_shows_the_colour_asked_for(pixel_format: PixelFormat) -> None:
    plan = MaskPlan(always=(AREA,), method=MaskingMethod.FILLING, fill_colour_bgr=(200, 90, 40))
    masked, mask = paint(pixel_format, SIZE, noise(pixel_format, SIZE), plan)
    bgr = planes_to_bgr(pixel_format, SIZE, masked)[mask > 0].astype(int)
    assert np.abs(bgr - (200, 90, 40)).max() <= 3


wild = st.floats(width=32) | st.sampled_from([0.0, 1e4, -1e4, 3e38])


@settings(max_examples=150, deadline=None)
@given(sizes, st.lists(st.lists(st.tuples(wild, wild), max_size=5), max_size=3), st.floats(), st.integers(-5, 10 ** 9))
def test_no_geometry_makes_it_raise(
        size_wh: tuple[int, int], outlines: list[list[tuple[float, float]]], margin: float, cell_px: int) -> None:
    shapes = tuple(np.array(points, np.float32) for points in outlines)
    regions = tuple(figure(shape, margin_px=margin, cell_px=cell_px) for shape in shapes)
    paint(I420, size_wh, noise(I420, size_wh),
          MaskPlan(regions, prohibited=(AreaRegion(shapes[:2]),), default_cell_px=cell_px))
    paint(I420, size_wh, noise(I420, size_wh), MaskPlan(always=shapes, circumferential=(margin, 3.0, margin)))


class TestHeldColours:
    plan = MaskPlan(figures=(figure(rectangle(4, 4, 55, 40), cell_px=12),))

    @pytest.mark.parametrize("pixel_format", list(PixelFormat))
    def test_a_moving_texture_shows_nothing_new_within_the_hold(self, pixel_format: PixelFormat) -> None:
        painter = MaskPainter(pixel_format, SIZE)
        texture = noise(pixel_format, (SIZE[0] + 20, SIZE[1]), 3)
        outputs = []
        for n in range(10):
            shifted = tuple(np.roll(plane, n, axis=1)[:, :w] for plane, w in zip(
                texture, (SIZE[0], (SIZE[0] + 1) // 2, (SIZE[0] + 1) // 2), strict=False))
            masked, mask = paint(pixel_format, SIZE, shifted, self.plan, painter, t_s=n * HOLD_S / 10)
            outputs.append(masked[0][inner(mask)])
        assert all(np.array_equal(outputs[0], other) for other in outputs[1:])

    def test_cells_change_after_the_hold_but_not_all_at_once(self) -> None:
        painter = MaskPainter(I420, SIZE)
        one, other = (tuple(np.full_like(p, 128) for p in noise(I420, SIZE)) for _ in range(2))
        one[0][:, :30], one[0][:, 30:] = 20, 235
        other[0][:, :30], other[0][:, 30:] = 235, 20
        first, mask = paint(I420, SIZE, one, self.plan, painter, t_s=0.0)
        midway, _ = paint(I420, SIZE, other, self.plan, painter, t_s=HOLD_S * 1.25)
        late, _ = paint(I420, SIZE, other, self.plan, painter, t_s=HOLD_S * 3)
        anew, _ = paint(I420, SIZE, other, self.plan)
        changed = (midway[0] != first[0])[mask > 0].mean()
        assert 0.1 < changed < 0.9 * (late[0] != first[0])[mask > 0].mean()
        assert same(late, anew)

    def test_a_figure_that_turns_brighter_is_shown_so_after_the_hold_and_little_by_little(self) -> None:
        painter = MaskPainter(I420, SIZE)
        dark, bright = (tuple(np.full_like(p, v) for p in noise(I420, SIZE)) for v in (40, 200))
        shown = []
        for n in range(41):
            work, mask = paint(I420, SIZE, bright if n else dark, self.plan, painter, t_s=n * HOLD_S / 20)
            shown.append(float(work[0][inner(mask)].mean()))
        assert max(np.abs(np.diff(shown[:20]))) == 0
        assert 0 < max(np.abs(np.diff(shown))) < (shown[-1] - shown[0]) / 3
        assert shown[-1] > shown[0] + 80

    def test_leaving_and_coming_back_shows_nothing_new(self) -> None:
        painter = MaskPainter(I420, SIZE)
        first, _ = paint(I420, SIZE, noise(I420, SIZE, 1), self.plan, painter, t_s=0.0)
        paint(I420, SIZE, noise(I420, SIZE, 2), MaskPlan(), painter, t_s=HOLD_S / 3)
        again, mask = paint(I420, SIZE, noise(I420, SIZE, 3), self.plan, painter, t_s=HOLD_S / 2)
        assert np.array_equal(first[0][inner(mask)], again[0][inner(mask)])

    def test_noise_does_not_dither_a_held_level(self) -> None:
        painter = MaskPainter(I420, SIZE)
        rng = np.random.default_rng(0)
        seen = []
        for n in range(30):     # their mean, 144, lies between two levels
            planes = tuple(np.clip(rng.normal(144, 16, p.shape), 0, 255).astype(np.uint8) for p in noise(I420, SIZE))
            masked, mask = paint(I420, SIZE, planes, self.plan, painter, t_s=n * 2 * HOLD_S)
            seen.append(masked[0][inner(mask)])
        assert all(np.array_equal(seen[0], other) for other in seen[1:])

    def test_levels_are_few(self) -> None:
        ramp = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
        size = (256, 256)
        masked, _ = paint(I420, size, (ramp, ramp[::2, ::2].copy(), ramp[::2, ::2].copy()),
                          MaskPlan(always=(rectangle(0, 0, *size),), default_cell_px=8))
        assert len(np.unique(masked[0])) <= 24
        assert len(np.unique(masked[1])) <= 12

    def test_time_may_jump_or_be_unknown(self) -> None:
        painter = MaskPainter(I420, SIZE)
        for t_s in (5.0, float("nan"), -1e12, float("inf"), 1e300, 5.0):
            masked, mask = paint(I420, SIZE, noise(I420, SIZE, 1), self.plan, painter, t_s=t_s)
            assert mask.any()
            assert len(np.unique(masked[0][inner(mask)])) <= 16


@settings(max_examples=60, deadline=None)
@given(formats, sizes, st.sampled_from(LADDER_PX[:6]), polygons, st.floats(0, 20), st.sampled_from(list(MaskingMethod)))
def test_edges_take_in_nothing_of_what_is_masked(
        pixel_format: PixelFormat, size_wh: tuple[int, int], cell_px: int, polygon: np.ndarray, margin: float,
        method: MaskingMethod) -> None:
    """Where so little of somebody is masked that no colour is taken, the picture depends on the rest of it alone."""
    assume(np.ptp(polygon, axis=0).max() < 64)  # in the smallest pictures larger ones are doubtful: all is masked
    plan = MaskPlan(figures=(figure(polygon, cell_px=cell_px, margin_px=margin),), method=method, cells_per_metre=1e4)
    clear = noise(pixel_format, size_wh)
    painter = MaskPainter(pixel_format, size_wh)
    one, mask = paint(pixel_format, size_wh, clear, plan, painter)
    assume(not painter._region.full)  # as it is where a polygon is too large for the picture
    two, _ = paint(pixel_format, size_wh, other_under(clear, mask, 2), plan)
    assert same(one, two)


@settings(max_examples=40, deadline=None)
@given(formats, sizes, PLANS)
def test_painting_the_same_again_gives_the_same(
        pixel_format: PixelFormat, size_wh: tuple[int, int], plan: MaskPlan) -> None:
    painter = MaskPainter(pixel_format, size_wh)
    clear = noise(pixel_format, size_wh)
    once, mask_once = paint(pixel_format, size_wh, clear, plan, painter)
    again, mask_again = paint(pixel_format, size_wh, clear, plan, painter)
    assert same(once, again)
    assert np.array_equal(mask_once, mask_again)
    twice, _ = paint(pixel_format, size_wh, once, plan, painter)
    assert same(once, twice)


class TestBackground:
    @pytest.mark.parametrize("pixel_format", list(PixelFormat))
    def test_the_empty_scene_shows_where_known_and_mosaic_elsewhere(self, pixel_format: PixelFormat) -> None:
        clear, scene = noise(pixel_format, SIZE, 1), noise(pixel_format, SIZE, 2)
        known = np.ones(SIZE[::-1], bool)
        known[20:22, 30:32] = False
        plan = MaskPlan(figures=(figure(AREA, cell_px=16),), method=MaskingMethod.BACKGROUND)
        painter, work = MaskPainter(pixel_format, SIZE), copy(clear)
        painter.paint(work, plan, 0.0, Background(scene, known))
        mosaic, mask = paint(pixel_format, SIZE, clear, replace(plan, method=MaskingMethod.BLURRING))
        assert np.array_equal(work[0][(mask > 0) & known], scene[0][(mask > 0) & known])
        assert np.array_equal(work[0][inner(mask) & ~known], mosaic[0][inner(mask) & ~known])
        assert np.array_equal(work[0][mask == 0], clear[0][mask == 0])
        for after, empty, before in zip(work[1:], scene[1:], clear[1:], strict=True):
            bits = chroma_mask(mask)
            shown = bits.copy()
            shown[10, 15] = False
            assert np.array_equal(after[shown], empty[shown])
            assert np.array_equal(after[~bits], before[~bits])

    def test_a_figure_vanishes_as_a_whole_or_not_at_all(self) -> None:
        """It vanishes once all it covers is known, stays so while little of it is not, and is a mosaic otherwise."""
        scene, clear = noise(I420, SIZE, 2), noise(I420, SIZE, 1)
        plan = MaskPlan(figures=(figure(AREA, cell_px=16),), method=MaskingMethod.BACKGROUND)
        painter = MaskPainter(I420, SIZE)
        mosaic, mask = paint(I420, SIZE, clear, replace(plan, method=MaskingMethod.BLURRING))
        width = np.flatnonzero(mask.any(axis=0)).size
        left = int(np.flatnonzero(mask.any(axis=0))[0])
        for unknown, vanishes in ((0.5, False), (0.1, False), (0.0, True), (0.1, True), (0.5, False), (0.1, False)):
            known = np.ones(SIZE[::-1], np.uint8)
            known[:, :(left + round(unknown * width)) // 2 * 2] = unknown == 0
            work = copy(clear)
            painter.paint(work, plan, 0.0, Background(scene, known))
            shown = (mask > 0 if vanishes else inner(mask)) & (known > 0)
            assert np.array_equal(work[0][shown], (scene if vanishes else mosaic)[0][shown])
            assert np.array_equal(work[0][inner(mask) & (known == 0)], mosaic[0][inner(mask) & (known == 0)])

    def test_who_vanishes_takes_nothing_of_who_stays(self) -> None:
        scene, clear = noise(I420, SIZE, 2), noise(I420, SIZE, 1)
        known = np.ones(SIZE[::-1], np.uint8)
        known[:, 40:] = 0
        known_one, other = rectangle(6, 10, 30, 30), rectangle(20, 10, 60, 30)
        plan = MaskPlan(figures=(figure(known_one, cell_px=16), replace(figure(other, cell_px=16), key=9)),
                        method=MaskingMethod.BACKGROUND)
        work = copy(clear)
        MaskPainter(I420, SIZE).paint(work, plan, 0.0, Background(scene, known))
        mosaic, _ = paint(I420, SIZE, clear, replace(plan, method=MaskingMethod.BLURRING))
        assert np.array_equal(work[0][12:28, 22:26], mosaic[0][12:28, 22:26])
        assert np.array_equal(work[0][12:28, 34:38], mosaic[0][12:28, 34:38])
        assert np.array_equal(work[0][12:28, 8:16], scene[0][12:28, 8:16])

    def test_areas_hide_the_scene_itself(self) -> None:
        scene = Background(noise(I420, SIZE, 2), np.ones(SIZE[::-1], np.uint8))
        for plan in (MaskPlan(always=(AREA,)), MaskPlan(circumferential=(30.0, 20.0, 5.0)), MaskPlan(full=True)):
            work = copy(noise(I420, SIZE, 1))
            MaskPainter(I420, SIZE).paint(work, replace(plan, method=MaskingMethod.BACKGROUND), 0.0, scene)
            mosaic, _ = paint(I420, SIZE, noise(I420, SIZE, 1), plan)
            assert same(work, mosaic)

    def test_without_a_background_it_is_a_mosaic(self) -> None:
        plan = MaskPlan(figures=(figure(AREA),), method=MaskingMethod.BACKGROUND)
        clear = noise(NV12, SIZE)
        assert same(paint(NV12, SIZE, clear, plan)[0],
                    paint(NV12, SIZE, clear, replace(plan, method=MaskingMethod.BLURRING))[0])

    def test_a_block_known_in_part_counts_as_unknown(self) -> None:
        known = np.ones(SIZE[::-1], np.uint8)
        known[21, 31] = 0
        scene = noise(BGR, SIZE, 2)
        work = copy(noise(BGR, SIZE, 1))
        plan = MaskPlan(figures=(figure(AREA),), method=MaskingMethod.BACKGROUND)
        MaskPainter(BGR, SIZE).paint(work, plan, 0.0, Background(scene, known))
        assert not np.array_equal(work[0][20, 30], scene[0][20, 30])
        assert np.array_equal(work[0][22, 30], scene[0][22, 30])


class TestPlanes:
    @pytest.mark.parametrize("pixel_format", list(PixelFormat))
    def test_rows_may_be_apart(self, pixel_format: PixelFormat) -> None:
        clear = noise(pixel_format, SIZE)
        padded = tuple(np.zeros((p.shape[0] + 3, p.shape[1] + 5, *p.shape[2:]), np.uint8) for p in clear)
        views = tuple(pad[1:-2, 2:-3] for pad in padded)
        for view, plane in zip(views, clear, strict=True):
            view[...] = plane
        plan = MaskPlan(always=(AREA,))
        MaskPainter(pixel_format, SIZE).paint(views, plan, 0.0)
        assert same(views, paint(pixel_format, SIZE, clear, plan)[0])
        for pad, view in zip(padded, views, strict=True):
            view[...] = 0
            assert not pad.any()

    def test_what_cannot_be_painted_in_place_is_refused(self) -> None:
        painter = MaskPainter(I420, SIZE)
        y, u, v = noise(I420, SIZE)
        for bad in ((y, u), (y[:-1], u, v), (y.astype(np.float32), u, v), (y[:, ::-1], u, v), (y[::-1], u, v),
                    (np.asfortranarray(y), u, v)):
            with pytest.raises(GuardError):
                painter.paint(bad, MaskPlan(full=True), 0.0)
        y.setflags(write=False)
        with pytest.raises(GuardError, match="read-only"):
            painter.paint((y, u, v), MaskPlan(full=True), 0.0)
