"""The one schema of every setting. Defaults come from `options`, texts from translations (`settings.<table>.<key>`)."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any

import voluptuous as vol

from aipg_plugin import options
from aipg_plugin.resources import languages
from aipg_plugin.settings.areas import AreaShape, Corner
from aipg_plugin.settings.compounds import (
    RESERVED_STREAMS,
    Circle,
    GuardTable,
    HostName,
    Shorthand,
    SourceUrl,
    StreamSet,
    Target,
)
from aipg_plugin.settings.installation import AUTO
from aipg_plugin.settings.shapes import ListOf, MapOf, Table
from aipg_plugin.settings.validators import (
    NAME_LOOKS,
    NAME_PATTERN,
    Choice,
    FileMode,
    Flag,
    HexColour,
    Name,
    Number,
    Optionally,
    Text,
    Whole,
    choice_of,
)

RESERVED_CAMERAS = frozenset({"available", "status", "stats", "events", "errors", "changes", "announced"})
_TOPIC = Text(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", "a topic without wildcards or outer slashes", longest=100)
_SECRET = Optionally(Text(secret=True))
_FILE = Optionally(Text())


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


class _Keys:
    """Makes the keys of one table; the defaults are those of the options class."""

    def __init__(self, table: str, owner: type[Any]) -> None:
        self.table = table
        self.defaults = {field.name: field.default for field in dataclasses.fields(owner)}

    def __call__(self, key: str, field: str | None = None) -> vol.Optional:
        return vol.Optional(key, default=_plain(self.defaults[field or key]), description=self._text(key))

    def own(self, key: str, default: Any) -> vol.Optional:
        return vol.Optional(key, default=default, description=self._text(key))

    def required(self, key: str) -> vol.Required:
        return vol.Required(key, description=self._text(key))

    def _text(self, key: str) -> str:
        return f"settings.{self.table}.{key}"


_lens = _Keys("lens", options.Lens)
LENS = Table("lens", {
    _lens("model"): choice_of(options.LensModelName),
    _lens("fov_deg"): Number(90, 220, unit="°"),
    _lens.own("circle", "auto"): Circle(),
    _lens("coefficients"): ListOf(Number(-10, 10), 0, 4),
})

_view = _Keys("view", options.View)
VIEW = Table("view", {
    _view("yaw_deg"): Number(-360, 360, unit="°"),
    _view("pitch_deg"): Number(-180, 180, unit="°"),
    _view("roll_deg"): Number(-180, 180, unit="°"),
    _view("h_fov_deg"): Number(10, 170, unit="°"),
})

_area = _Keys("area", options.Area)
AREA = AreaShape(Table("area", {
    _area.own("number", None): Optionally(Whole(1, 999)),
    _area.own("rectangle", None): Optionally(ListOf(Number(0, 1), 4, 4)),
    _area.own("points", None): Optionally(ListOf(Corner(), 3, 64)),
    _area("status", "enabled"): Flag(),
    _area.own("colour", None): Optionally(HexColour()),
    _area("name"): Text(empty=True, longest=100),
    _area("stream"): Optionally(Name(RESERVED_STREAMS)),
}))

_guard = _Keys("privacy_guard", options.PrivacyGuard)
PRIVACY_GUARD = GuardTable(Table("privacy_guard", {
    _guard("enabled"): Flag(),
    _guard.own("target_streams", None): StreamSet(),
    _guard("masking_method"): choice_of(options.MaskingMethod),
    _guard("fill_colour"): HexColour(),
    _guard("fill_outline"): Flag(),
    _guard("sensitivity"): choice_of(options.Sensitivity),
    _guard("blur_intensity"): choice_of(options.BlurIntensity),
    _guard("circumferential_mosaic"): Flag(),
    _guard("circumferential_width"): Number(0.01, 0.5),
    _guard("prohibited_areas"): ListOf(AREA, most=64),
    _guard("always_mask_areas"): ListOf(AREA, most=64),
    _guard("lookahead_s"): Number(0, 5, unit="s"),
    _guard("hold_s"): Number(0.5, 60, unit="s"),
    _guard("detect_hz"): Number(0.5, 30, unit="Hz"),
    _guard("off_token"): _SECRET,
}))

_source = _Keys("source", options.Source)
SOURCE = Shorthand(Table("source", {
    _source.required("url"): SourceUrl(),
    _source("transport"): Choice(("tcp", "udp")),
    _source("stall_timeout_s"): Number(1, 600, unit="s"),
    _source("reconnect_max_s"): Number(1, 3600, unit="s"),
    _source("loop"): Flag(),
    _source("realtime"): Flag(),
    _source("poll_s"): Number(0.1, 60, unit="s"),
    _source("hardware_decode"): Choice(("auto", "none", "vaapi", "cuda", "videotoolbox", "qsv")),
}), "url")

_output = _Keys("output", options.Output)
OUTPUT = Shorthand(Table("output", {
    _output.required("kind"): choice_of(options.OutputKind),
    _output("target"): Target(),
    _output("codec"): Choice(("h264", "hevc")),
    _output("encoder"): Text(r"[a-z0-9_]+", "auto or the name of an encoder, such as libx264"),
    _output("preset"): Text(r"[a-z0-9_-]+", "auto or the name of a preset, such as veryfast"),
    _output("crf"): Whole(0, 51),
    _output("bitrate_kbps"): Optionally(Whole(32, 200_000, unit="kbit/s")),
    _output("gop_s"): Number(0.1, 60, unit="s"),
    _output("segment_s"): Number(1, 86_400, unit="s"),
    _output("audio"): choice_of(options.Audio),
    _output("recording_mode"): FileMode(),
    _output("keep_days"): Optionally(Number(0.01, 36_500, unit="days")),
    _output("min_free_gb"): Number(0, 1_000_000, unit="GB"),
}), "kind")

_stream = _Keys("stream", options.Stream)
STREAM = Table("stream", {
    _stream.required("source"): SOURCE,
    _stream("capture_mode"): choice_of(options.CaptureMode),
    _stream.own("view", None): VIEW,
    _stream("views"): ListOf(VIEW, most=4),
    _stream("outputs"): ListOf(OUTPUT, most=32),
})

_camera = _Keys("camera", options.Camera)
CAMERA = Table("camera", {
    _camera("name"): Text(empty=True, longest=100),
    _camera("enabled"): Flag(),
    _camera.own("lens", None): LENS,
    _camera("mount"): choice_of(options.MountKind),
    _camera("camera_height", "camera_height_m"): Number(2.5, 5.0, 0.1, unit="m"),
    _camera.required("streams"): MapOf(Name(RESERVED_STREAMS), STREAM, "stream", least=1),
    _camera.own("privacy_guard", None): PRIVACY_GUARD,
})
CAMERAS = MapOf(Name(RESERVED_CAMERAS), CAMERA, "camera")

_mqtt = _Keys("mqtt", options.Mqtt)
MQTT = Table("mqtt", {
    _mqtt("broker"): HostName(("off", "embedded")),
    _mqtt("port"): Whole(0, 65535),
    _mqtt("username"): Optionally(Text()),
    _mqtt("password"): _SECRET,
    _mqtt("prefix"): _TOPIC,
    _mqtt.own("client_id", AUTO): Text(NAME_PATTERN, NAME_LOOKS),
    _mqtt("protocol"): Choice(("3.1.1", "5")),
    _mqtt("tls"): Flag(),
    _mqtt("tls_ca"): _FILE,
    _mqtt("tls_cert"): _FILE,
    _mqtt("tls_key"): _FILE,
    _mqtt("tls_insecure"): Flag(),
    _mqtt("persist_commands"): Flag(),
    _mqtt("discovery"): Flag(),
    _mqtt("discovery_prefix"): _TOPIC,
    _mqtt("discovery_format"): Choice(("device", "entity")),
    _mqtt("follow_frigate"): Flag(),
    _mqtt("snapshot_interval_s"): Number(0, 86_400, unit="s"),
})

_user = _Keys("web_user", options.WebUser)
WEB_USER = Table("web_user", {
    _user.required("password"): Text(secret=True),
    _user("role"): Choice(("viewer", "admin")),
})

_web = _Keys("web", options.Web)
WEB = Table("web", {
    _web("host"): HostName(),
    _web("port"): Whole(0, 65535),
    _web("rtsp_port"): Whole(0, 65535),
    _web("onvif"): Flag(),
    _web("username"): Optionally(Text(r"[^:]+", "a name without a colon")),
    _web("password"): _SECRET,
    _web.own("users", None): MapOf(Name(), WEB_USER, "user"),
    _web("allowed_hosts"): ListOf(HostName(), most=64),
    _web("frame_ancestors"): ListOf(Text(r"self|https?://[A-Za-z0-9_.:*\[\]-]+",
                                         "self or an origin such as https://nvr.local"), most=16),
    _web("trusted_proxies"): ListOf(Text(r"[0-9A-Fa-f.:/]+", "an address or network such as 172.30.32.2"), most=16),
    _web("user_header"): Optionally(Text(r"[A-Za-z0-9-]{1,64}", "the name of a header, such as X-Remote-User")),
})

_custom = _Keys("custom_model", options.CustomModel)
CUSTOM_MODEL = Table("custom_model", {
    _custom.required("file"): Text(r".+\.onnx", "the path of an .onnx file"),
    _custom("layout"): Choice(("yolox", "yolov8", "yolov5")),
    _custom("tile_px"): Whole(64, 2048, unit="px"),
    _custom("colour"): Choice(("bgr", "rgb")),
    _custom("scale"): Number(1e-6, 1000),
    _custom("person_class"): Whole(0, 9999),
    _custom("classes"): Whole(1, 10_000),
})

_models = _Keys("models", options.Models)
MODELS = Table("models", {
    _models("tier"): Choice(("small", "standard")),
    _models("precision"): Choice(("fp32",)),
    _models("providers"): ListOf(Choice(("cpu", "cuda", "tensorrt", "openvino", "coreml")), 1, 8),
    _models("threads"): Whole(0, 64),
    _models.own("custom", None): Optionally(CUSTOM_MODEL),
})

_root = _Keys("root", options.Settings)
SCHEMA = Table("root", {
    _root.own("cameras", None): CAMERAS,
    _root.own("mqtt", None): MQTT,
    _root.own("web", None): WEB,
    _root.own("models", None): MODELS,
    _root.own("instance_id", AUTO): Text(NAME_PATTERN, NAME_LOOKS),
    _root("language"): Choice(languages()),
})


def unwrapped(validator: Any) -> Any:
    """The table, list, map or value inside validators that only add to it."""
    while isinstance(validator, AreaShape | GuardTable | Shorthand | Optionally):
        validator = validator.inner if isinstance(validator, Optionally) else validator.table
    return validator


def choices_of(table: Table, key: str) -> tuple[str, ...]:
    """The words that a choice in a table takes, or each item of a list there."""
    found: dict[str, Any] = {str(marker.schema): validator for marker, validator in table.schema.items()}
    validator = unwrapped(found[key])
    choices: tuple[str, ...] = getattr(validator, "inner", validator).choices
    return choices


def validator_at(setting: str) -> Any:
    """The validator of a camera's setting by its dotted path below the camera; `<n>` is an item of a list."""
    found: Any = CAMERA
    for key in setting.split("."):
        found = unwrapped(found.inner if key == "<n>" else found.schema[key])
    return found
