"""The pages in a real browser: each page's main job by clicking and dragging, checked in the file and in the mask."""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aipg_plugin.frames import Frame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Source
from aipg_plugin.web import forms
from tests.servers import wait_for
from tests.web.house import House

pytestmark = pytest.mark.timeout(240)
PAGES = ("cameras", "guard/lobby", "extension/lobby", "areas/lobby", "status", "system", "cameras/lobby")


def open_page(page: Any, house: House, name: str) -> None:
    page.goto(f"{house.url}#/{name}")
    page.wait_for_selector("main h1")
    if name.partition("/")[0] in ("guard", "extension", "areas") or name == "cameras":
        page.wait_for_selector("canvas[data-frames]", timeout=60_000)


def save(page: Any) -> None:
    page.click("#save")
    page.click("#apply")
    page.wait_for_selector(".toast")
    page.wait_for_selector("dialog", state="detached")


def guarded(house: House, frames: int = 14) -> NDArray[np.uint8]:
    """A frame of the clip as the settings in force mask it: looked at within the call, however busy the machine is."""
    app = house.app
    camera = next(each for each in app.settings.cameras if each.id == "lobby")
    guard = make_guard(camera, app.net, live=False)
    try:
        left: list[Any] = []
        with open_source(Source(str(house.clip)), "1") as source:
            for frame in itertools.islice(source, frames):
                left += guard.process(frame) if isinstance(frame, Frame) else []
        left += guard.flush("1")
        assert left[-1].state in ("guarding", "degraded"), left[-1].reason
        return np.asarray(left[-1].to_bgr(), np.uint8)
    finally:
        guard.close()


def test_cameras_switches_the_guard(page: Any, house: House) -> None:
    open_page(page, house, "cameras")
    switch = page.locator("[data-camera=yard] input[role=switch]")
    assert not switch.is_checked()
    page.locator("[data-camera=yard] .pill[data-state=off]").first.wait_for()
    switch.click()
    page.wait_for_selector(".toast.ok")
    assert house.yaml["cameras"]["yard"]["privacy_guard"]["enabled"] is True
    assert house.guard("yard").enabled
    switch.click()
    page.wait_for_selector("dialog.warned")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert house.guard("yard").enabled, "switching off was not confirmed"
    wait_for(switch.is_checked, 10, "the switch back on")


def test_adding_a_camera_from_a_file(page: Any, house: House) -> None:
    open_page(page, house, "cameras")
    page.click("#add-camera")
    page.click("#wizard-next")
    assert page.locator("#w-url-error").inner_text()
    page.fill("#w-url", "/no/such/file.mp4")
    page.click("#wizard-next")
    wait_for(lambda: len(page.locator("#w-url-error").inner_text()) > 5, 30, "the fault at its field")
    assert page.locator("#w-url").get_attribute("aria-invalid") == "true"
    page.fill("#w-url", str(house.clip))
    page.click("#wizard-next")
    page.wait_for_selector("dialog .live img", timeout=60_000)
    wait_for(lambda: page.evaluate("document.querySelector('dialog .live img').naturalWidth") > 100, 20)
    assert page.locator("#w-mode").input_value() == "fisheye"
    handle = page.locator("dialog .live [role=slider]").nth(1)
    box = handle.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 30, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.click("#wizard-next")
    page.locator("#w-height").fill("3.4")
    page.click("#wizard-next")
    page.fill("#w-name", "Shop floor")
    page.click("#wizard-next")
    page.click("#apply")
    page.wait_for_selector("[data-camera=shop_floor]")
    wait_for(lambda: "shop_floor" in house.yaml["cameras"], 20, "the new camera in the file: it is in force first")
    made = house.yaml["cameras"]["shop_floor"]
    assert (made["name"], made["camera_height"], made["mount"]) == ("Shop floor", 3.4, "ceiling")
    assert made["streams"]["1"]["source"] == {"url": str(house.clip), "loop": True}
    assert made["privacy_guard"] == {"enabled": True, "target_streams": ["1"]}
    assert 0.3 < made["lens"]["circle"][2] < 0.49
    wait_for(lambda: house.picture("shop_floor").any(), 40, "a guarded picture of the new camera")


def test_guard_changes_the_method_in_file_and_picture(page: Any, house: House) -> None:
    open_page(page, house, "guard/lobby")
    wide = page.evaluate("[...document.querySelectorAll('.check-card')].filter(e => e.scrollWidth > e.clientWidth)"
                         ".map(e => e.textContent)")
    assert not wide
    page.check("input[value=filling]")
    page.locator("[data-path='cameras.lobby.privacy_guard.fill_colour'] input[type=text]").fill("#20a040")
    page.click("#save")
    text = page.locator("dialog .differences").inner_text()
    assert "Mosaic" in text
    assert "Filling" in text
    page.click("#apply")
    page.wait_for_selector(".toast.ok")
    guard = house.yaml["cameras"]["lobby"]["privacy_guard"]
    assert (guard["masking_method"], guard["fill_colour"]) == ("filling", "#20a040")
    assert "sensitivity: low   # the hall is calm" in house.text
    picture = guarded(house)
    green = (abs(picture.astype(int) - (64, 160, 32)).max(axis=2) < 24).sum()
    assert green > 1500, "the walker is filled"


def test_extension_sets_the_height_over_the_picture(page: Any, house: House) -> None:
    open_page(page, house, "extension/lobby")
    page.wait_for_selector("polygon.ghost", timeout=60_000)
    before = page.locator("polygon.ghost").first.get_attribute("points")
    height = page.locator("[data-path='cameras.lobby.camera_height'] input[type=number]")
    height.fill("4.2")
    page.wait_for_function("old => document.querySelector('polygon.ghost').getAttribute('points') !== old", arg=before)
    page.locator("[data-path$=sensitivity] label", has_text="High").click()
    save(page)
    camera = house.yaml["cameras"]["lobby"]
    assert (camera["camera_height"], camera["privacy_guard"]["sensitivity"]) == (4.2, "high")
    height.fill("9")
    page.click("#save")
    page.wait_for_selector("[data-path='cameras.lobby.camera_height'] .error:not([hidden])")
    assert house.yaml["cameras"]["lobby"]["camera_height"] == 4.2


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on the editor, in shares of it."""
    box = page.locator("svg.editor").bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=3)
    page.mouse.move(x1, y1, steps=3)
    page.mouse.up()


def click(page: Any, x: float, y: float) -> None:
    box = page.locator("svg.editor").bounding_box()
    page.mouse.click(box["x"] + box["width"] * x, box["y"] + box["height"] * y)


def test_areas_are_drawn_moved_copied_and_undone(page: Any, house: House) -> None:
    open_page(page, house, "areas/lobby")
    page.click("label:has(input[value=always_mask_areas])")
    page.click("#tool-rect")
    drag(page, (0.30, 0.20), (0.50, 0.40))
    assert page.locator("svg.editor [data-list=always_mask_areas]").count() == 1
    page.click("label:has(input[name=new-kind][value=prohibited_areas])")
    page.click("#tool-polygon")
    for x, y in ((0.6, 0.6), (0.8, 0.62), (0.75, 0.8)):
        click(page, x, y)
    page.keyboard.press("Enter")
    shape = page.locator("svg.editor [data-list=prohibited_areas] .shape")
    assert shape.count() == 1
    assert shape.get_attribute("stroke") == "#ffffff", "number 1 is white"
    page.keyboard.press("Control+d")
    assert page.locator("svg.editor [data-list=prohibited_areas]").count() == 2
    page.keyboard.press("Control+z")
    assert page.locator("svg.editor [data-list=prohibited_areas]").count() == 1
    drag(page, (0.40, 0.30), (0.45, 0.30))           # move the rectangle
    drag(page, (0.35, 0.20), (0.32, 0.18))           # resize it by a corner
    page.locator("svg.editor [data-list=prohibited_areas]").focus()
    page.keyboard.press(" ")
    assert "off" in shape.get_attribute("class"), "dashed when off"
    page.keyboard.press("ArrowRight")
    page.locator("input[aria-label='x 1']").fill("60.5")
    page.locator("input[aria-label='x 1']").press("Tab")
    page.wait_for_selector("svg.elsewhere, .other-views polygon.elsewhere", state="attached", timeout=60_000)
    save(page)
    guard = house.yaml["cameras"]["lobby"]["privacy_guard"]
    (always,), (prohibited,) = guard["always_mask_areas"], guard["prohibited_areas"]
    assert always["status"] is True
    assert always["rectangle"] == pytest.approx([0.32, 0.18, 0.55, 0.40], abs=0.012)
    assert prohibited["status"] is False
    assert prohibited["points"][0][0] == pytest.approx(0.605)
    inside = guarded(house)[120:180, 180:240]
    flat = max(inside[y:y + 8, x:x + 8].std() for y in range(0, 48, 8) for x in range(0, 48, 8))
    assert len({tuple(pixel) for pixel in inside.reshape(-1, 3)}) < 60, f"a mosaic has few colours ({flat})"
    page.reload()
    page.wait_for_selector("svg.editor [data-uid]", state="attached")
    assert page.locator("svg.editor [data-uid]").count() == 2
    assert page.locator(".save-bar").is_hidden(), "nothing has been changed yet"


def test_two_browsers_and_a_change_made_elsewhere(page: Any, chromium: Any, house: House) -> None:
    other = chromium.new_context(viewport={"width": 900, "height": 800}).new_page()
    for each in (page, other):
        each.goto(f"{house.url}#/extension/lobby")
        each.wait_for_selector("[data-path$=sensitivity]")
    page.locator("[data-path$=sensitivity] label", has_text="High").click()
    save(page)
    wait_for(lambda: other.locator("[data-path$=sensitivity] input[value=high]").is_checked(), 15,
             "the other browser shows it")
    other.context.close()


def test_a_server_that_starts_again_is_found_again(page: Any, house: House) -> None:
    open_page(page, house, "cameras")
    house.stop()
    page.wait_for_selector(".banner:not([hidden])")
    house.start()
    page.wait_for_selector(".banner", state="hidden", timeout=30_000)
    page.locator("[data-camera=yard] input[role=switch]").click()
    page.wait_for_selector(".toast.ok")
    assert house.guard("yard").enabled


@pytest.mark.parametrize("language", forms.languages())
def test_languages_fit(chromium: Any, house: House, language: str) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale=language, reduced_motion="reduce")
    page = context.new_page()
    for name in PAGES:
        page.goto(f"{house.url}#/{name}")
        page.wait_for_selector("main h1")
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.lang") == language
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (name, language)
        wide = page.evaluate("[...document.querySelectorAll('button, .pill, .nav span, h1, h2')].filter(e => "
                             "e.offsetParent && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "
                             "'inline').map(e => e.textContent)")
        assert not wide, (name, language, wide)
        raw = re.findall(r"\b(?:state|page|label|choice|fig|wizard|areas)\.[a-z_.]+", page.inner_text("body"))
        assert not raw, (name, language, raw)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(chromium: Any, house: House, scheme: str, tmp_path_factory: pytest.TempPathFactory,
                                   ) -> None:
    axe = (Path(__file__).parent / "axe" / "axe.min.js").read_text("utf-8")
    shots = Path(os.environ.get("AIPG_ARTEFACTS") or tmp_path_factory.mktemp(f"shots-{scheme}"))
    shots.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(viewport={"width": 1360, "height": 900}, color_scheme=scheme, locale="en",
                                   reduced_motion="reduce", bypass_csp=True)
    page = context.new_page()
    found: dict[str, Any] = {}
    for name in PAGES:
        page.goto(f"{house.url}#/{name}")
        page.wait_for_selector("main h1")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        page.wait_for_timeout(200)
        page.screenshot(path=shots / f"{name.replace('/', '-')}-{scheme}.png")
        if scheme == "light":
            page.set_viewport_size({"width": 390, "height": 844})
            page.screenshot(path=shots / f"{name.replace('/', '-')}-phone.png", full_page=True)
            page.set_viewport_size({"width": 1360, "height": 900})
        page.evaluate(axe)
        result = page.evaluate("axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})")
        found |= {f"{name} {each['id']}": [node["html"][:160] for node in each["nodes"]][:3]
                  for each in result["violations"] if each["impact"] in ("serious", "critical")}
    context.close()
    assert not found, json.dumps(found, indent=1)


def test_a_new_setting_is_on_its_page(page: Any, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    import voluptuous as vol

    from aipg_plugin.settings import schema
    from aipg_plugin.settings.describe import reference_markdown
    from aipg_plugin.settings.validators import Number

    key = vol.Optional("fake_strength", default=0.5, description="settings.privacy_guard.sensitivity")
    monkeypatch.setitem(schema.PRIVACY_GUARD.table.schema, key, Number(0, 1))
    open_page(page, house, "guard/lobby")
    assert page.locator("[data-path='cameras.lobby.privacy_guard.fake_strength'] input[type=range]").count() == 1
    assert "`fake_strength`" in reference_markdown()


def test_the_first_page_is_small(page: Any, house: House) -> None:
    sizes: list[int] = []
    page.on("response", lambda reply: sizes.append(int(reply.headers.get("content-length", 0))))
    page.goto(house.url)
    page.wait_for_selector("[data-camera]")
    assert len(sizes) < 25
    assert sum(sizes) < 150_000
