"""Everything that can be set, as frozen values: what `settings/` makes out of YAML and the rest reads.

Defaults are the reference product's. Coordinates are normalised 0–1 (x by picture width, y by height).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from aipg_plugin.credentials import Address, redacted

Point = tuple[float, float]


class LensModelName(StrEnum):
    EQUIDISTANT = "equidistant"
    EQUISOLID = "equisolid"
    STEREOGRAPHIC = "stereographic"
    ORTHOGRAPHIC = "orthographic"
    KANNALA_BRANDT = "kannala_brandt"


class MountKind(StrEnum):
    CEILING = "ceiling"
    WALL = "wall"


class CaptureMode(StrEnum):
    FISHEYE = "fisheye"
    PANORAMA = "panorama"
    DOUBLE_PANORAMA = "double_panorama"
    QUAD_PTZ = "quad_ptz"
    SINGLE_PTZ = "single_ptz"
    CORRIDOR = "corridor"


class MaskingMethod(StrEnum):
    BLURRING = "blurring"
    FILLING = "filling"
    BACKGROUND = "background"


class Sensitivity(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class BlurIntensity(StrEnum):
    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


class Audio(StrEnum):
    DROP = "drop"
    PASS = "pass"


class OutputKind(StrEnum):
    FILE = "file"                  # one MP4/MKV file
    SEGMENTS = "segments"          # a folder of files, cut every segment_s
    RTSP_PUBLISH = "rtsp_publish"  # push to a server (go2rtc, MediaMTX): ANNOUNCE/RECORD over TCP
    RTSP_SERVE = "rtsp_serve"      # we are the server
    HTTP = "http"                  # MPEG-TS and MJPEG and snapshot under /streams/<camera>/<stream>


TARGETS = {OutputKind.FILE: "a file ending in .mp4 or .mkv", OutputKind.SEGMENTS: "a folder",
           OutputKind.RTSP_PUBLISH: "an rtsp:// address"}            # what an output writes to
SERVED_KINDS = frozenset(OutputKind) - TARGETS.keys()                # by our own server
STORED_KINDS = frozenset({OutputKind.FILE, OutputKind.SEGMENTS})     # on a disk


@dataclass(frozen=True)
class Lens:
    """Lens law and image circle; `circle` is (cx, cy, radius), normalised by width, height, width, or None=auto."""

    model: LensModelName = LensModelName.EQUIDISTANT
    fov_deg: float = 180.0
    circle: tuple[float, float, float] | None = None
    coefficients: tuple[float, ...] = ()


@dataclass(frozen=True)
class View:
    """Where a dewarped view looks; angles as FFmpeg's v360 names them, in degrees."""

    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    h_fov_deg: float = 90.0


@dataclass(frozen=True)
class Area:
    """A polygon (a rectangle has four points) in the picture of one stream.

    `stream` is the stream whose picture it was drawn on; None is the first of the target streams.
    """

    number: int
    points: tuple[Point, ...]
    enabled: bool = False
    colour: str = "#ffffff"
    name: str = ""
    stream: str | None = None


@dataclass(frozen=True)
class PrivacyGuard:
    """The guard's own settings, the reference product's names and defaults."""

    enabled: bool = False
    target_streams: tuple[str, ...] = ()
    masking_method: MaskingMethod = MaskingMethod.BLURRING
    fill_colour: str = "#808080"
    fill_outline: bool = False
    sensitivity: Sensitivity = Sensitivity.HIGH
    blur_intensity: BlurIntensity = BlurIntensity.MIDDLE
    circumferential_mosaic: bool = False
    circumferential_width: float = 0.12      # share of the image-circle radius
    prohibited_areas: tuple[Area, ...] = ()
    always_mask_areas: tuple[Area, ...] = ()
    lookahead_s: float = 0.4
    hold_s: float = 3.0
    detect_hz: float = 5.0
    off_token: str | None = field(default=None, repr=False)  # when set, guard OFF over MQTT needs it

    def guards(self, stream_id: str) -> bool:
        """Whether a stream of the camera leaves guarded."""
        return self.enabled and stream_id in self.target_streams


@dataclass(frozen=True)
class Source:
    """Where raw frames come from: file path, folder of images, rtsp://, http(s)://, /dev/videoN or v4l2 index.

    `url` is an Address, so that its text is safe to print. Raises SettingsError if it is none.
    """

    url: str
    transport: str = "tcp"
    stall_timeout_s: float = 10.0
    reconnect_max_s: float = 30.0
    loop: bool = False                       # files: start again at the end
    realtime: bool = True                    # files: pace by timestamps in live mode
    poll_s: float = 1.0                      # addresses of one picture: how often it is fetched
    hardware_decode: str = "auto"            # auto | none | vaapi | cuda | videotoolbox | qsv

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", Address(self.url))


@dataclass(frozen=True)
class Output:
    """One place where guarded frames go; `target` is an Address, as `Source.url` is."""

    kind: OutputKind
    target: str = ""                         # path, folder or URL; empty for served kinds
    codec: str = "h264"
    encoder: str = "auto"                    # auto | libx264 | h264_vaapi | h264_nvenc | …
    preset: str = "auto"                     # auto: veryfast, or a faster one where there is much to encode
    crf: int = 23
    bitrate_kbps: int | None = None
    gop_s: float = 2.0
    segment_s: float = 60.0
    audio: Audio = Audio.DROP
    recording_mode: str = "0600"             # permissions of recordings, octal; folders may be opened by the same
    keep_days: float | None = None           # segments: delete older ones
    min_free_gb: float = 0.0                 # segments: delete the oldest while the disk has less free

    @property
    def label(self) -> str:
        """The output in a few words, without credentials: `file /rec/lobby.mp4`."""
        return f"{self.kind} {redacted(self.target)}" if self.target else str(self.kind)

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", Address(self.target))


@dataclass(frozen=True)
class Stream:
    """One stream of a camera; `id` is what `target_streams` names ("1", "2")."""

    id: str
    source: Source
    capture_mode: CaptureMode = CaptureMode.FISHEYE
    view: View = View()
    views: tuple[View, ...] = ()             # quad_ptz: the four views; empty means 0/90/180/270° yaw
    outputs: tuple[Output, ...] = ()


@dataclass(frozen=True)
class Camera:
    """One camera: lens, mount, its streams and its guard."""

    id: str
    streams: tuple[Stream, ...]
    name: str = ""
    enabled: bool = True
    lens: Lens = Lens()
    mount: MountKind = MountKind.CEILING
    camera_height_m: float = 3.0
    privacy_guard: PrivacyGuard = PrivacyGuard()


@dataclass(frozen=True)
class Mqtt:
    """Broker and conventions; broker "embedded" starts one on loopback, "off" publishes nothing."""

    broker: str = "off"
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "aipg"
    client_id: str = "aipg"
    protocol: str = "5"                      # "3.1.1" | "5"
    tls: bool = False
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_insecure: bool = False
    persist_commands: bool = False
    discovery: bool = True
    discovery_prefix: str = "homeassistant"
    discovery_format: str = "device"         # device | entity
    follow_frigate: bool = False
    snapshot_interval_s: float = 0.0         # 0: on events only


@dataclass(frozen=True)
class WebUser:
    """Somebody who may open the pages: an admin may change settings, a viewer may look."""

    name: str
    password: str = field(repr=False)        # an argon2id hash (`aipg password`), or plain text
    role: str = "admin"                      # viewer | admin


@dataclass(frozen=True)
class Web:
    """The HTTP server for streams and pages."""

    host: str = "127.0.0.1"
    port: int = 8097
    rtsp_port: int = 8554
    onvif: bool = False                      # cameras served over RTSP are ONVIF devices, announced on the network
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    users: tuple[WebUser, ...] = ()
    allowed_hosts: tuple[str, ...] = ()      # names under which browsers may open the pages, beside local ones
    frame_ancestors: tuple[str, ...] = ()    # origins that may show the pages in a frame
    trusted_proxies: tuple[str, ...] = ()    # addresses whose forwarding headers are believed
    user_header: str | None = None           # header in which a trusted proxy names the user


@dataclass(frozen=True)
class CustomModel:
    """A user's own YOLO-type ONNX, described (see docs/settings.md)."""

    file: str
    layout: str = "yolox"                    # yolox | yolov8 | yolov5
    tile_px: int = 416
    colour: str = "bgr"                      # bgr | rgb
    scale: float = 1.0                       # pixel multiplier: 1 for 0–255, 0.00392 for 0–1
    person_class: int = 0
    classes: int = 80


@dataclass(frozen=True)
class Models:
    """Which detector and where it runs."""

    tier: str = "standard"                   # small | standard
    precision: str = "fp32"
    providers: tuple[str, ...] = ("cpu",)
    threads: int = 0                         # 0: live as many as there are cores to spare, for files two
    custom: CustomModel | None = None


@dataclass(frozen=True)
class Settings:
    """The whole configuration."""

    cameras: tuple[Camera, ...] = ()
    mqtt: Mqtt = Mqtt()
    web: Web = Web()
    models: Models = Models()
    instance_id: str = "aipg"
    language: str = "en"

    def guards(self, camera_id: str, stream_id: str) -> bool:
        """Whether a stream leaves guarded."""
        return any(camera.id == camera_id and camera.privacy_guard.guards(stream_id) for camera in self.cameras)


def stream_keys(cameras: tuple[Camera, ...]) -> frozenset[tuple[str, str]]:
    """Camera and stream of every stream of the enabled cameras."""
    return frozenset((camera.id, stream.id) for camera in cameras if camera.enabled for stream in camera.streams)
