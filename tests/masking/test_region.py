"""Where the mask is: coverage, order, doubt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aipg_plugin.masking import AreaRegion, FigureRegion, MaskPlan
from aipg_plugin.masking.region import RegionMap, rasterise

from .support import distance_px, figure, polygons, rectangle

SIZE = (64, 48)
LEFT_HALF = AreaRegion((rectangle(0, 0, 32, 48),))


def pixels(plan: MaskPlan, size_wh: tuple[int, int] = SIZE) -> np.ndarray:
    """The plan's mask as (H, W) bool."""
    region = RegionMap(size_wh)
    region.compose(plan, {})
    w, h = size_wh
    return np.repeat(np.repeat(region.level > 0, 2, axis=0), 2, axis=1)[:h, :w]


def test_an_empty_plan_masks_nothing() -> None:
    assert not pixels(MaskPlan()).any()
    assert not pixels(MaskPlan(figures=(FigureRegion(1, (), 5.0, 8),))).any()
    assert not pixels(MaskPlan(figures=(figure(np.zeros((0, 2))),))).any()


@settings(max_examples=150, deadline=None)
@given(polygons, st.floats(0, 12))
@example(np.array([[0, 4], [6, 2]], np.float32), 0.0)
def test_every_pixel_within_the_margin_is_masked_and_none_far_from_it(polygon: np.ndarray, margin: float) -> None:
    mask = pixels(MaskPlan(figures=(figure(polygon, margin_px=margin),)))
    away = distance_px(polygon, SIZE)
    assert mask[away <= margin].all()
    simple = len(polygon) <= 3          # holes of a crossing outline are filled on purpose
    if simple:
        assert not mask[away > margin + 4].any()


def test_the_hole_of_a_self_crossing_outline_is_masked_also_at_the_edge() -> None:
    twice_round = np.concatenate([rectangle(4, 4, 60, 44), rectangle(4, 4, 60, 44)])
    assert pixels(MaskPlan(figures=(figure(twice_round),)))[6:42, 6:58].all()
    beyond_the_edge = twice_round - (20, 0)
    assert pixels(MaskPlan(figures=(figure(beyond_the_edge),)))[6:42, :38].all()


@pytest.mark.parametrize("size_wh", [(1, 1), (2, 1), (1, 7), (33, 17), (64, 47)])
def test_the_last_row_and_column_can_be_masked(size_wh: tuple[int, int]) -> None:
    w, h = size_wh
    assert pixels(MaskPlan(always=(rectangle(0, 0, w, h),)), size_wh).all()
    corner = pixels(MaskPlan(always=(rectangle(w - 1, h - 1, w, h),)), size_wh)
    assert corner[-1, -1]


class TestOrder:
    inside = figure(rectangle(8, 8, 20, 30))
    straddling = figure(rectangle(20, 8, 44, 30))

    def test_a_figure_wholly_inside_a_prohibited_area_is_clear(self) -> None:
        assert not pixels(MaskPlan(figures=(self.inside,), prohibited=(LEFT_HALF,))).any()

    def test_its_margin_counts(self) -> None:
        wide = figure(rectangle(8, 8, 20, 30), margin_px=16)
        assert pixels(MaskPlan(figures=(wide,), prohibited=(LEFT_HALF,)))[8:30, 8:20].all()

    def test_a_figure_that_straddles_is_masked_whole_also_inside(self) -> None:
        plan = MaskPlan(figures=(self.straddling,))
        assert np.array_equal(pixels(MaskPlan(figures=(self.straddling,), prohibited=(LEFT_HALF,))), pixels(plan))

    def test_two_areas_together_do_not_clear_a_figure(self) -> None:
        halves = (LEFT_HALF, AreaRegion((rectangle(32, 0, 64, 48),)))
        assert pixels(MaskPlan(figures=(self.straddling,), prohibited=halves))[8:30, 20:44].all()

    def test_all_parts_of_a_figure_must_lie_in_the_same_area(self) -> None:
        parts = FigureRegion(1, (rectangle(4, 4, 10, 10), rectangle(50, 4, 56, 10)), 0.0, 8)
        halves = (LEFT_HALF, AreaRegion((rectangle(32, 0, 64, 48),)))
        assert pixels(MaskPlan(figures=(parts,), prohibited=halves))[5:9, 5:9].all()

    def test_a_figure_at_the_pictures_edge_can_be_clear(self) -> None:
        at_edge = figure(rectangle(-6, 10, 12, 30))
        assert not pixels(MaskPlan(figures=(at_edge,), prohibited=(LEFT_HALF,))).any()
        last = figure(rectangle(50, 30, 64, 48))
        assert not pixels(MaskPlan(figures=(last,), prohibited=(AreaRegion((rectangle(30, 10, 64, 48),)),))).any()

    def test_a_clear_figure_does_not_uncover_its_neighbour(self) -> None:
        plan = MaskPlan(figures=(self.straddling, self.inside), prohibited=(LEFT_HALF,))
        assert pixels(plan)[8:30, 20:44].all()

    @pytest.mark.parametrize("area", [
        np.full((4, 2), np.nan), rectangle(0, 0, 1e30, 48), np.zeros((0, 2)), np.zeros((3, 5)), rectangle(0, 0, 9, 9),
    ])
    def test_a_doubtful_or_smaller_area_clears_nothing(self, area: np.ndarray) -> None:
        assert pixels(MaskPlan(figures=(self.inside,), prohibited=(AreaRegion((area,)),)))[8:30, 8:20].all()

    def test_always_mask_areas_win_over_prohibited_ones(self) -> None:
        area = rectangle(10, 10, 30, 20)
        assert pixels(MaskPlan(always=(area,), prohibited=(LEFT_HALF,)))[10:20, 10:30].all()

    def test_circumferential_wins_over_prohibited_and_takes_the_corners(self) -> None:
        plan = MaskPlan(circumferential=(32.0, 24.0, 15.0), prohibited=(AreaRegion((rectangle(0, 0, 64, 48),)),))
        y, x = np.mgrid[0:48, 0:64] + 0.5
        away = np.hypot(x - 32, y - 24)
        assert pixels(plan)[away > 15].all()
        assert not pixels(plan)[away < 12].any()

    def test_full_wins_over_all(self) -> None:
        assert pixels(MaskPlan(full=True, prohibited=(AreaRegion((rectangle(0, 0, 64, 48),)),))).all()

    def test_the_largest_cells_win_where_grids_meet(self) -> None:
        region = RegionMap(SIZE)
        big, small = figure(rectangle(0, 0, 20, 20), key=1, cell_px=16), figure(rectangle(8, 8, 40, 40), key=2)
        for order in ((big, small), (small, big)):
            region.compose(MaskPlan(figures=order, always=(rectangle(0, 0, 4, 4),), default_cell_px=12), {})
            assert region.level[5, 5] == 3          # 16 px is the ladder's third
            assert region.level[15, 15] == 1
            assert region.level[0, 0] == 3


class TestDoubt:
    @pytest.mark.parametrize("bad", [
        np.array([[0, 0], [np.nan, 5], [9, 9]]), np.array([[0, 0], [np.inf, 5], [9, 9]]), np.zeros((4, 3)),
        np.zeros(7), rectangle(-1e9, 4, 1e9, 5), np.array([["a", "b"]]), rectangle(-3e38, -3e38, 3e38, 3e38),
    ])
    def test_a_doubtful_polygon_masks_the_whole_picture(self, bad: np.ndarray) -> None:
        assert pixels(MaskPlan(figures=(FigureRegion(1, (bad,), 0.0, 8),))).all()
        assert pixels(MaskPlan(always=(bad,))).all()

    @pytest.mark.parametrize("margin", [np.nan, np.inf, 1e30])
    def test_a_doubtful_margin_masks_the_whole_picture(self, margin: float) -> None:
        assert pixels(MaskPlan(figures=(figure(LEFT_HALF.polygons_px[0], margin_px=margin),))).all()

    def test_a_doubtful_circle_masks_the_whole_picture(self) -> None:
        assert pixels(MaskPlan(circumferential=(np.nan, 0.0, 9.0))).all()
        assert pixels(MaskPlan(circumferential=(0.0, 0.0, -5.0))).all()

    def test_polygons_outside_the_picture_mask_nothing(self) -> None:
        away = (rectangle(1e6, 1e6, 2e6, 2e6), rectangle(-3e38, 0, -2e38, 1), rectangle(70, 0, 90, 20))
        assert not pixels(MaskPlan(figures=(FigureRegion(1, away, 0.0, 8),))).any()

    def test_thousands_of_figures(self) -> None:
        many = tuple(figure(rectangle(k % 64, k % 48, k % 64 + 3, k % 48 + 3), key=k) for k in range(2000))
        assert pixels(MaskPlan(figures=many)).any()

    def test_a_negative_margin_is_none(self) -> None:
        left = LEFT_HALF.polygons_px[0]
        a, b = rasterise(left, -9.0, (32, 24)), rasterise(left, 0.0, (32, 24))
        assert a is not None
        assert b is not None
        assert np.array_equal(a.bits, b.bits)
