"""How masks look: a figure's hue, soft steps, outlines, a black rim."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aipg_plugin.frames import PixelFormat, planes_to_bgr
from aipg_plugin.masking import MaskPainter, MaskPlan
from aipg_plugin.masking.palette import CELL_SOFTENING, HOLD_S, HUE_SHOWN
from aipg_plugin.masking.planes import LAYOUTS, native_colour
from aipg_plugin.options import MaskingMethod

from .support import I420, copy, figure, noise, other_under, rectangle, same, without_pattern

SIZE = (240, 160)
RED, BLUE, GREY = (40, 40, 200), (190, 60, 40), (128, 128, 128)
LEFT, RIGHT = rectangle(10, 20, 90, 140), rectangle(130, 20, 220, 140)


def picture(pixel_format: PixelFormat, left: tuple[int, int, int] = RED,
            right: tuple[int, int, int] = BLUE) -> tuple[np.ndarray, ...]:
    """Grey, with two figures of plain colours under fine noise."""
    planes = copy(noise(pixel_format, SIZE))
    for plane, layout in zip(planes, LAYOUTS[pixel_format], strict=True):
        step, channels = layout.step, layout.channels
        noisy = plane.astype(float) - 127.5
        for colour, (x0, x1) in ((GREY, (0, 240)), (left, (10, 90)), (right, (130, 220))):
            value = native_colour(pixel_format, colour)[list(channels)]
            part = np.s_[:, x0 // step:x1 // step]
            plane[part] = np.clip((value if plane.ndim == 3 else value[0]) + noisy[part] / 6, 0, 255)
    return planes


def shown(pixel_format: PixelFormat, planes: tuple[np.ndarray, ...], x: int, y: int) -> np.ndarray:
    return np.asarray(planes_to_bgr(pixel_format, SIZE, planes)[y, x].astype(int))


def plan(**more: object) -> MaskPlan:
    return MaskPlan(figures=(figure(LEFT, key=1, cell_px=16), figure(RIGHT, key=2, cell_px=16)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_a_figure_keeps_its_hue_and_has_only_one(pixel_format: PixelFormat) -> None:
    work = picture(pixel_format)
    MaskPainter(pixel_format, SIZE).paint(work, plan(), 0.0)
    bgr = planes_to_bgr(pixel_format, SIZE, work).astype(int)
    left, right = bgr[30:130, 20:80], bgr[30:130, 140:210]
    assert (left[..., 2] > left[..., 0] + 15).all()                      # red
    assert (right[..., 0] > right[..., 2] + 15).all()                    # blue
    spread = np.ptp((left - left.mean(axis=2, keepdims=True)).reshape(-1, 3), axis=0)
    assert spread.max() <= 3                                             # lighter or darker, but of one hue


def test_a_grey_figure_stays_grey() -> None:
    work = picture(I420, GREY, GREY)
    MaskPainter(I420, SIZE).paint(work, plan(), 0.0)
    assert (work[1][15:65, 10:40] == 128).all()


def test_a_figure_of_weak_colour_is_grey_since_its_head_would_turn_the_hue() -> None:
    work = picture(I420, GREY, GREY)
    work[1][:], work[2][:] = 132, 131
    MaskPainter(I420, SIZE).paint(work, plan(), 0.0)
    assert (work[1][15:65, 10:40] == 128).all()


def test_the_hue_is_held_and_changes_with_another_figure_at_once() -> None:
    painter = MaskPainter(I420, SIZE)
    painter.paint(picture(I420), plan(), 0.0)
    second = picture(I420, BLUE, BLUE)
    painter.paint(second, plan(), HOLD_S / 2)
    assert second[2][40, 20] > 128 + HUE_SHOWN / 2, "still red"
    another = picture(I420, BLUE, BLUE)
    painter.paint(another, MaskPlan(figures=(figure(LEFT, key=7, cell_px=16),)), HOLD_S * 0.6)
    assert another[2][40, 20] <= 128
    assert another[1][40, 20] > 128


def test_noise_does_not_change_a_hue() -> None:
    painter, rng, seen = MaskPainter(I420, SIZE), np.random.default_rng(3), set()
    for n in range(20):
        work = picture(I420)
        for plane in work:
            plane[:] = np.clip(plane + rng.normal(0, 6, plane.shape), 0, 255)
        painter.paint(work, plan(), n * 2 * HOLD_S)
        seen.add((int(work[1][40, 20]), int(work[2][40, 20])))
    assert len(seen) == 1


def test_steps_are_soft_and_about_the_brightness_of_the_figure() -> None:
    work = copy(noise(I420, SIZE))
    work[0][:] = 60
    work[0][20:50, 10:90] = 235
    MaskPainter(I420, SIZE).paint(work, plan(), 0.0)
    luma = without_pattern(work[0], 16)
    left, right = np.unique(luma[30:130, 20:80]), np.unique(luma[30:130, 140:210])
    assert 2 <= len(left) <= 4
    assert set(np.diff(left).tolist()) == {round(48 * CELL_SOFTENING)}
    assert len(right) == 1
    assert abs(int(right[0]) - 60) <= 48


def test_cells_are_seen_on_plain_figures_by_a_pattern_that_is_always_the_same() -> None:
    shown = []
    for value in (90, 100):
        work = tuple(np.full_like(plane, value) for plane in noise(I420, SIZE))
        MaskPainter(I420, SIZE).paint(work, plan(), 0.0)
        shown.append(work[0][32:128, 32:80].astype(int))
    assert np.array_equal(shown[0] - shown[0].mean(), shown[1] - shown[1].mean())
    across = np.diff(shown[0][::16, ::16], axis=1)
    assert (np.abs(across) >= 4).all()
    assert np.abs(across).max() <= 16


def test_without_a_share_of_its_own_no_cell_tells_anything() -> None:
    """At High: whatever is under a figure, its cells differ by the pattern alone."""
    work = copy(noise(I420, SIZE))
    work[0][:] = 60
    work[0][20:50, 10:90] = 235
    MaskPainter(I420, SIZE).paint(work, plan(cell_share=0.0), 0.0)
    luma = without_pattern(work[0], 16)
    assert len(np.unique(luma[30:130, 20:80])) == 1


@pytest.mark.parametrize("method", list(MaskingMethod))
def test_who_is_on_top_does_not_depend_on_the_order_of_a_plan(method: MaskingMethod) -> None:
    """It changes with every look: where people stood close, a tenth of what was masked changed colour each time."""
    both = (figure(rectangle(10, 20, 130, 140), key=1, cell_px=16), figure(RIGHT, key=2, cell_px=16),
            figure(rectangle(80, 60, 180, 120), key=-3, cell_px=16))
    one, other = picture(I420), picture(I420)
    about = MaskPlan(figures=both, method=method, fill_outline=True)
    MaskPainter(I420, SIZE).paint(one, about, 0.0)
    MaskPainter(I420, SIZE).paint(other, replace(about, figures=both[::-1]), 0.0)
    assert same(one, other)


def test_who_comes_changes_nothing_where_somebody_was_before() -> None:
    there, newcomer = figure(LEFT, key=4, cell_px=16), figure(rectangle(50, 40, 230, 120), key=9, cell_px=16)
    nameless = figure(rectangle(20, 30, 100, 100), key=-1, cell_px=16)
    alone, joined = picture(I420), picture(I420)
    MaskPainter(I420, SIZE).paint(alone, MaskPlan(figures=(there,)), 0.0)
    MaskPainter(I420, SIZE).paint(joined, MaskPlan(figures=(there, newcomer, nameless)), 0.0)
    for x in (slice(24, 46), slice(54, 84)):  # away from edges, which are softened
        assert np.array_equal(alone[0][44:96, x], joined[0][44:96, x])
    assert np.array_equal(alone[1][12:68, 7:42], joined[1][12:68, 7:42])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_head_alone_tells_nothing_at_all(share: float) -> None:
    head = MaskPlan(figures=(figure(rectangle(10, 20, 38, 48), cell_px=16),), cell_share=share)
    painter, one = MaskPainter(I420, SIZE), picture(I420)
    other = other_under(one, _painted(painter, one, head), 2)
    MaskPainter(I420, SIZE).paint(other, head, 0.0)
    assert same(one, other)


def test_a_figures_colour_tells_nothing_of_its_head() -> None:
    """Of 240 heads with a known body 12 were named from brightness and hue, three times as many as by chance."""
    whole = replace(figure(LEFT, cell_px=16), head_px=(50.0, 45.0, 16.0))
    y, x = np.mgrid[:160, :240] + 0.5
    head = np.hypot(x - 50, y - 45) < 17
    shown = []
    for colour in (20, 235):
        work = picture(I420)
        work[0][head] = colour
        work[1][head[::2, ::2]], work[2][head[::2, ::2]] = colour, 255 - colour
        MaskPainter(I420, SIZE).paint(work, MaskPlan(figures=(whole,), cell_share=0.0), 0.0)
        shown.append(work)
    assert same(*shown)
    assert shown[0][2][60, 20] > 128, "it still has the body's hue"


def _painted(painter: MaskPainter, planes: tuple[np.ndarray, ...], masked: MaskPlan) -> np.ndarray:
    """The mask of a plan that is painted into a picture."""
    painter.paint(planes, masked, 0.0)
    return painter.mask


def test_what_has_no_name_is_grey_so_that_it_does_not_flicker() -> None:
    """Foreground regions are counted anew in each picture: a colour held by their keys would go from one to another."""
    work = picture(I420)
    both = MaskPlan(figures=(figure(LEFT, key=-1, cell_px=16), figure(RIGHT, key=-2, cell_px=16)))
    MaskPainter(I420, SIZE).paint(work, both, 0.0)
    assert (work[1][15:65, 10:40] == 128).all()
    luma = without_pattern(work[0], 16)
    assert np.unique(luma[30:130, 20:80]).tolist() == np.unique(luma[30:130, 140:210]).tolist() == [128]


def test_so_little_of_a_figure_that_it_may_be_a_head_alone_shows_no_colour_of_its_own() -> None:
    head = rectangle(10, 20, 38, 48)
    work = picture(I420)
    MaskPainter(I420, SIZE).paint(work, MaskPlan(figures=(figure(head, cell_px=16),)), 0.0)
    assert (work[1][12:22, 7:17] == 128).all()
    assert (work[2][12:22, 7:17] == 128).all()


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_an_outline_lies_within_the_mask_and_tells_nothing(pixel_format: PixelFormat) -> None:
    filling = plan(method=MaskingMethod.FILLING, fill_colour_bgr=(200, 180, 160))
    outlined = replace(filling, fill_outline=True)
    clear = noise(pixel_format, SIZE)
    plain, line, painter = copy(clear), copy(clear), MaskPainter(pixel_format, SIZE)
    painter.paint(plain, filling, 0.0)
    mask = painter.mask > 0
    painter.paint(line, outlined, 0.0)
    assert np.array_equal(line[0][~mask], clear[0][~mask])
    again = other_under(clear, painter.mask, 2)
    painter.paint(again, outlined, 0.0)
    assert same(line, again)
    differs = (line[0] != plain[0]).reshape(*mask.shape, -1).any(axis=2) & mask
    assert 0 < differs.mean() < 0.1
    assert not differs[60:100, 30:70].any()
    edge = int(mask[60].argmax()) + 1
    assert np.abs(shown(pixel_format, line, edge, 60) - shown(pixel_format, plain, 50, 60)).max() > 30


def test_people_cover_each_others_lines() -> None:
    work, painter = copy(noise(I420, SIZE)), MaskPainter(I420, SIZE)
    both = (figure(LEFT, key=2, cell_px=16), figure(rectangle(50, 40, 150, 120), key=1, cell_px=32))
    painter.paint(work, MaskPlan(figures=both, method=MaskingMethod.FILLING, fill_outline=True), 0.0)
    filled = work[0][80, 30]
    assert (work[0][46:114, 84:96] == filled).all(), "the line of the first, under the second"
    assert (work[0][50:110, 46:52] != filled).any(axis=1).all(), "the line of the second"


def test_edges_are_softened_by_what_lies_beside_them() -> None:
    work, painter = tuple(np.full_like(plane, 128) for plane in noise(I420, SIZE)), MaskPainter(I420, SIZE)
    work[0][:] = 220
    painter.paint(work, replace(plan(), method=MaskingMethod.FILLING, fill_colour_bgr=(0, 0, 0)), 0.0)
    row, edge = work[0][60], int(painter.mask[60].argmax())
    assert row[edge - 1] == 220, "nothing outside of the mask changes"
    assert row[edge + 2] < row[edge + 1] + 10
    assert 60 < row[edge] < 180


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
@pytest.mark.parametrize("method", list(MaskingMethod))
def test_what_the_lens_does_not_show_stays_black(pixel_format: PixelFormat, method: MaskingMethod) -> None:
    around = MaskPlan(circumferential=(120.0, 80.0, 50.0), lens=(120.0, 80.0, 70.0), method=method, default_cell_px=32)
    work, painter = picture(pixel_format), MaskPainter(pixel_format, SIZE)
    assert painter.paint(work, around, 0.0) > 0.7
    y, x = np.mgrid[:160, :240] + 0.5
    away = np.hypot(x - 120, y - 80)
    bgr = planes_to_bgr(pixel_format, SIZE, work)
    assert bgr[away > 71].max() <= 2
    assert bgr[(away > 54) & (away < 66)].max() > 40
    assert (painter.mask[away > 50] == 255).all()


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_the_rim_has_no_dark_cells_from_what_the_lens_does_not_show(pixel_format: PixelFormat) -> None:
    work = tuple(np.full_like(plane, 128) for plane in noise(pixel_format, SIZE))
    y, x = np.mgrid[:160, :240] + 0.5
    away = np.hypot(x - 120, y - 80)
    work[0][away > 70] = 0
    MaskPainter(pixel_format, SIZE).paint(
        work, MaskPlan(circumferential=(120.0, 80.0, 50.0), lens=(120.0, 80.0, 70.0), default_cell_px=24), 0.0)
    bgr = planes_to_bgr(pixel_format, SIZE, work)[(away > 53) & (away < 67)].astype(int)
    assert np.ptp(bgr) <= 40, "the pattern alone"


@pytest.mark.parametrize("pixel_format", list(PixelFormat))
def test_a_figure_at_the_rim_ends_with_what_the_lens_shows(pixel_format: PixelFormat) -> None:
    work, painter = picture(pixel_format), MaskPainter(pixel_format, SIZE)
    painter.paint(work, replace(plan(), lens=(120.0, 80.0, 90.0)), 0.0)
    y, x = np.mgrid[:160, :240] + 0.5
    outside = (np.hypot(x - 120, y - 80) > 91) & (painter.mask > 0)
    assert outside.sum() > 200
    assert planes_to_bgr(pixel_format, SIZE, work)[outside].max() <= 2


def test_a_full_mosaic_covers_the_black_too() -> None:
    work, painter = picture(I420), MaskPainter(I420, SIZE)
    painter.paint(work, MaskPlan(circumferential=(120.0, 80.0, 50.0), lens=(120.0, 80.0, 70.0), full=True), 0.0)
    assert (painter.mask == 255).all()
