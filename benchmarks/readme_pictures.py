"""The pictures of the README: each masking method, the attack on a mosaic, the cameras and areas pages.

    python -m benchmarks.readme_pictures [--out docs/pictures] [--only methods attack pages]

Everything shown is rendered: the sample clip and drawn heads show nobody. The pages need Chromium and Playwright.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aipg_plugin.cli.demo import settings_for
from aipg_plugin.detection.onnx import load_model
from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.assembly import make_guard
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.media.source import open_source
from aipg_plugin.options import BlurIntensity, MaskingMethod, Source, Web
from aipg_plugin.resources import resource_path
from aipg_plugin.settings.loader import load
from aipg_plugin.web import make_pages
from benchmarks.attack import attack, make_heads
from benchmarks.attack_film import MOTIONS, outline
from benchmarks.heads import SIDE

Bgr = NDArray[np.uint8]
_FRAME = 110
_SIDE_PX = 320
_INK = {"light": ((246, 247, 243), (40, 30, 20)), "dark": ((23, 18, 13), (235, 230, 225))}
_CAMERAS = (("lobby", "Lobby"), ("shop", "Shop floor"))


def main() -> int:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--only", nargs="+", default=["methods", "attack", "pages"])
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        {"methods": methods, "attack": attacked, "pages": pages}[name](options.out)
    return 0


def methods(out: Path) -> None:
    """The same frame of the sample clip before, and masked in each way."""
    clip = str(resource_path("samples", "lobby.mp4"))
    camera = settings_for(clip, Web()).cameras[0]
    net = load_model(settings_for(clip, Web()).models)
    tiles: list[tuple[str, Bgr]] = []
    for method in MaskingMethod:
        guard = make_guard(replace(camera, privacy_guard=replace(camera.privacy_guard, masking_method=method)), net,
                           live=False)
        left: list[GuardedFrame] = []
        with open_source(Source(clip), "1") as source:
            for number, frame in enumerate(source):
                if not isinstance(frame, Frame) or number > _FRAME:
                    break
                if number == _FRAME and not tiles:
                    tiles.append(("before", np.asarray(frame.to_bgr((_SIDE_PX, _SIDE_PX)), np.uint8)))
                left = guard.process(frame) or left
        left = guard.flush("1") or left
        guard.close()
        tiles.append((method.value, np.asarray(left[-1].to_bgr((_SIDE_PX, _SIDE_PX)), np.uint8)))
    for theme in _INK:
        _write(out / f"methods-{theme}.jpg", _row(tiles, theme))


def attacked(out: Path) -> None:
    """Heads rebuilt from a film of a plain mosaic, and of ours, by the attack of `benchmarks.attack`."""
    groups = make_heads("drawn", 60, 200, groups=1)
    if groups is None:
        raise SystemExit("drawn heads are missing")
    rows, rebuilt = attack(groups, BlurIntensity.LOW, MOTIONS[0])
    of = {(row.mosaic, row.frames): (row, picture) for row, picture in zip(rows, rebuilt, strict=True)}
    lines = [("clear", groups[0].probes)]
    for mosaic, words in (("plain", "plain mosaic"), ("body", "our mosaic")):
        row, picture = of[mosaic, "all"]
        lines.append((f"{words}: {row.rank1:.0%} named", picture))
    for theme, (paper, ink) in _INK.items():
        shown, side, left = 10, 84, 230
        canvas = np.full((len(lines) * (side + 8) + 8, left + shown * (side + 6), 3), paper, np.uint8)
        for n, (label, flat) in enumerate(lines):
            top = 8 + n * (side + 8)
            cv2.putText(canvas, label, (12, top + side // 2 + 5), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
            for k in range(shown):
                canvas[top:top + side, left + k * (side + 6):left + k * (side + 6) + side] = _head(flat[k], side, paper)
        _write(out / f"attack-{theme}.jpg", canvas)


def _head(flat: NDArray[np.floating], side: int, paper: tuple[int, int, int]) -> Bgr:
    alpha = cv2.resize(outline(), (side, side), interpolation=cv2.INTER_LINEAR)[..., None]
    yuv = np.round(np.clip(flat.reshape(SIDE, SIDE, 3), 0, 255)).astype(np.uint8)
    bgr = cv2.resize(cv2.cvtColor(yuv, cv2.COLOR_YUV2BGR), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(bgr * alpha + np.array(paper) * (1 - alpha), np.uint8)


def pages(out: Path) -> None:
    """The cameras and areas pages, light and dark."""
    from playwright.sync_api import sync_playwright

    clip = resource_path("samples", "lobby.mp4")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "aipg.yaml"
        file.write_text(_configuration(clip), encoding="utf-8")
        host = StandaloneHost(load(file).settings, config_file=file, pages=make_pages)
        host.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium",
                                                     args=["--no-sandbox", "--disable-gpu"])
                for theme in _INK:
                    for name in ("cameras", "areas/lobby"):
                        _shoot(browser, host, theme, name, out)
                browser.close()
        finally:
            host.stop()


def _shoot(browser: Any, host: StandaloneHost, theme: str, name: str, out: Path) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{host.plugin.settings.web.port}/#/{name}")
    page.wait_for_selector("canvas[data-frames]")
    page.wait_for_selector(".pill[data-state=guarding], .pill[data-state=degraded]", timeout=180_000)
    page.wait_for_timeout(1500)
    target = out / f"{name.partition('/')[0]}-{theme}.jpg"
    page.screenshot(path=str(target), type="jpeg", quality=80)
    context.close()


def _configuration(clip: Path) -> str:
    port = 18_196
    area = """
      always_mask_areas: [{number: 1, rectangle: [0.62, 0.14, 0.84, 0.34], status: on, name: Changing room}]
      prohibited_areas:
        - {number: 1, rectangle: [0.16, 0.42, 0.34, 0.62], status: on, name: Screen}
        - {number: 2, points: [[0.42, 0.72], [0.62, 0.7], [0.58, 0.9], [0.44, 0.88]], status: off, name: Poster}"""
    cameras = "".join(f"""
  {key}:
    name: {name}
    streams: {{"1": {{source: {{url: '{clip}', loop: on}}, outputs: [http]}}}}
    privacy_guard:
      enabled: on
      target_streams: ["1"]
      masking_method: {method}{area if key == "lobby" else ""}""" for (key, name), method in
                      zip(_CAMERAS, ("blurring", "filling"), strict=True))
    return f"cameras:{cameras}\nweb: {{port: {port}, rtsp_port: 0}}\nmodels: {{tier: small}}\n"


def _row(tiles: list[tuple[str, Bgr]], theme: str) -> Bgr:
    paper, ink = _INK[theme]
    gap, label = 8, 30
    canvas = np.full((_SIDE_PX + label, len(tiles) * (_SIDE_PX + gap) - gap, 3), paper, np.uint8)
    for index, (name, tile) in enumerate(tiles):
        left = index * (_SIDE_PX + gap)
        canvas[label:, left:left + _SIDE_PX] = tile
        cv2.putText(canvas, name, (left + 4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, ink, 1, cv2.LINE_AA)
    return canvas


def _write(path: Path, picture: Bgr) -> None:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 82] if path.suffix == ".jpg" else [])


if __name__ == "__main__":
    sys.exit(main())
