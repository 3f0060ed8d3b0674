"""Random settings, as dicts, that are valid by construction."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st

from aipg_plugin import options

names = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True).filter(
    lambda name: name.lower() not in {"all", "off", "on", "person", "problem", "available", "status", "stats", "events",
                                      "errors"})
words = st.text(st.characters(exclude_categories=("C",)), max_size=20)
flags = st.sampled_from([True, False, "on", "off", "yes", "no"])
colours = st.from_regex(r"#[0-9a-fA-F]{6}", fullmatch=True)
shares = st.floats(0, 1)


def numbers(low: float, high: float) -> st.SearchStrategy[Any]:
    whole = st.integers(math.ceil(low), math.floor(high)) if math.ceil(low) <= high else st.nothing()
    return st.one_of(st.floats(low, high), whole)


def enums(kind: Any) -> st.SearchStrategy[str]:
    return st.sampled_from([value.value for value in kind])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A dict with any subset of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def rectangles(draw: st.DrawFn) -> list[float]:
    x, y = draw(st.floats(0, 0.9)), draw(st.floats(0, 0.9))
    return draw(st.permutations([0, 1]).map(lambda order: (
        [x, y, x + 0.1, y + 0.1] if order == [0, 1] else [x + 0.1, y + 0.1, x, y])))


@st.composite
def areas(draw: st.DrawFn, streams: list[str]) -> list[dict[str, Any]]:
    triangle = st.just([[0.1, 0.1], [0.9, 0.2], [0.5, 0.8]])
    shape = st.one_of(rectangles().map(lambda r: {"rectangle": r}), triangle.map(lambda p: {"points": p}))
    extra = some(status=flags, colour=colours, name=words, stream=st.sampled_from(streams))
    return [{**a, **b} for a, b in draw(st.lists(st.tuples(shape, extra), max_size=3))]


view = some(yaw_deg=numbers(-180, 180), pitch_deg=numbers(-90, 90), roll_deg=numbers(-180, 180),
            h_fov_deg=numbers(10, 170))
source = st.one_of(
    st.sampled_from(["in.mp4", 0, "/dev/video1", "rtsp://u:p@192.0.2.1/1", "${NAME:-in.mp4}", "a$${b.mp4"]),
    st.fixed_dictionaries({"url": st.sampled_from(["rtsp://192.0.2.2/a", "http://h/x"])}, optional={
        "transport": st.sampled_from(["tcp", "UDP"]), "stall_timeout_s": numbers(1, 600), "loop": flags,
        "realtime": flags, "hardware_decode": st.sampled_from(["auto", "none", "vaapi"])}))
output = st.one_of(st.sampled_from(["http", "rtsp_serve"]), st.fixed_dictionaries(
    {"kind": st.sampled_from(["http", "rtsp_serve"])}, optional={
        "codec": st.sampled_from(["h264", "hevc"]), "crf": st.integers(0, 51), "gop_s": numbers(0.1, 60),
        "bitrate_kbps": st.one_of(st.none(), st.integers(32, 200_000)), "audio": enums(options.Audio),
        "encoder": st.sampled_from(["auto", "libx264"])}))
outputs = st.lists(output, max_size=2, unique_by=lambda o: o if isinstance(o, str) else o["kind"])


@st.composite
def streams(draw: st.DrawFn, mount: str) -> dict[str, Any]:
    wrong = {"ceiling": {"corridor"}, "wall": {"double_panorama"}}[mount]
    mode = draw(enums(options.CaptureMode).filter(lambda value: value not in wrong))
    stream = {"source": draw(source), "capture_mode": mode,
              **draw(some(view=view, outputs=outputs))}
    if mode == "quad_ptz" and (mount == "wall" or draw(st.booleans())):
        stream["views"] = draw(st.lists(view, min_size=4, max_size=4))
    return stream


@st.composite
def lenses(draw: st.DrawFn) -> dict[str, Any]:
    model = draw(enums(options.LensModelName))
    lens: dict[str, Any] = {"model": model, "fov_deg": draw(numbers(90, 180 if model == "orthographic" else 220))}
    if model == "kannala_brandt":
        lens["coefficients"] = draw(st.lists(numbers(-1, 1), min_size=4, max_size=4))
    return {**lens, **draw(some(circle=st.one_of(st.just("auto"), st.tuples(shares, shares, st.floats(0.05, 1)))))}


@st.composite
def cameras(draw: st.DrawFn) -> dict[str, Any]:
    mount = draw(enums(options.MountKind))
    below = draw(st.dictionaries(names, streams(mount), min_size=1, max_size=2))
    known = list(below)
    targets = st.one_of(st.sampled_from(["all", "off", False]), st.lists(st.sampled_from(known)))
    guard = draw(some(
        masking_method=enums(options.MaskingMethod), sensitivity=enums(options.Sensitivity), fill_colour=colours,
        blur_intensity=enums(options.BlurIntensity), circumferential_mosaic=flags,
        circumferential_width=numbers(0.01, 0.5), prohibited_areas=areas(known),
        always_mask_areas=areas(known), lookahead_s=numbers(0, 5), hold_s=numbers(1, 60), detect_hz=numbers(1, 30),
        off_token=st.just("kite-harbour-41-lamp")))
    guard |= {"enabled": draw(flags), "target_streams": draw(targets)}
    height = st.integers(25, 50).map(lambda tenths: tenths / 10)
    return {"mount": mount, "streams": below, "privacy_guard": guard,
            **draw(some(lens=lenses(), camera_height=height, name=words, enabled=flags))}


settings_dicts = some(
    cameras=st.dictionaries(names, cameras(), max_size=2),
    mqtt=some(broker=st.sampled_from(["off", False, "embedded", "broker.lan", "192.0.2.9"]), prefix=names,
              client_id=names, protocol=st.sampled_from(["5", "3.1.1", 5]), discovery=flags,
              snapshot_interval_s=numbers(0, 86_400)),
    web=some(port=st.integers(9000, 9999), rtsp_port=st.just(0)),
    models=some(tier=st.sampled_from(["small", "standard"]), threads=st.integers(0, 64),
                providers=st.lists(st.sampled_from(["cpu", "CUDA"]), min_size=1, max_size=3),
                custom=st.one_of(st.none(), st.just({"file": "m.onnx", "layout": "yolov8"}))),
    instance_id=names, language=st.sampled_from(["en", "de"]))

JUNK: list[Any] = [float("nan"), float("inf"), 10**400, -1, 1e9, True, None, "", "\x00", "\ud800", "${UNSET}",
                   "no such", [], [[]], {}, {"x": 1}, b"bytes", object(), {1, 2}, ("a",), 2**70, -0.0, "on", "off",
                   "all", "0"]
