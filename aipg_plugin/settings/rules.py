"""Rules across settings, one function each: what no single value can tell.

A rule yields Findings. `CAMERA_RULES` see one camera, `SETTINGS_RULES` everything. What is allowed but probably not
meant is in `advice.py`.
"""

from __future__ import annotations

import ipaddress
import os.path
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aipg_plugin.options import (
    SERVED_KINDS,
    TARGETS,
    Camera,
    CaptureMode,
    LensModelName,
    MountKind,
    Output,
    OutputKind,
    Settings,
)
from aipg_plugin.passwords import is_hash
from aipg_plugin.settings.problems import Path, one_of, show

SHORTEST_TOKEN = 12
SHORTEST_PASSWORD = 8


@dataclass(frozen=True)
class Finding:
    """What a rule found, where; `message` and `cure` are templates filled from `params`."""

    path: Path
    message: str
    cure: str
    params: dict[str, object] = field(default_factory=dict)


Findings = Iterator[Finding]


def at(camera: Camera, *rest: object) -> Path:
    """The path of something below a camera."""
    return ("cameras", camera.id, *(str(part) for part in rest))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def capture_mode_fits_mount(camera: Camera) -> Findings:
    """Corridor is for walls; a double panorama needs the full turn that only a ceiling camera sees."""
    wanted = {CaptureMode.CORRIDOR: MountKind.WALL, CaptureMode.DOUBLE_PANORAMA: MountKind.CEILING}
    for stream in camera.streams:
        mount = wanted.get(stream.capture_mode, camera.mount)
        if mount is not camera.mount:
            yield Finding(at(camera, "streams", stream.id, "capture_mode"),
                          "{mode} needs mount {wanted}, but mount is {mount}",
                          "Choose another capture_mode, or set mount: {wanted}",
                          {"mode": stream.capture_mode.value, "mount": camera.mount.value, "wanted": mount.value})


def quad_views(camera: Camera) -> Findings:
    """Quad PTZ takes four views or none; on a wall its standard views would look at the wall."""
    for stream in camera.streams:
        path = at(camera, "streams", stream.id, "views")
        if stream.capture_mode is not CaptureMode.QUAD_PTZ:
            if stream.views:
                yield Finding(path, "views belong to quad_ptz, but capture_mode is {mode}",
                              "Remove them; single_ptz has view", {"mode": stream.capture_mode.value})
        elif len(stream.views) not in (0, 4):
            yield Finding(path, "has {count} views", "quad_ptz takes four, or none for the standard ones",
                          {"count": len(stream.views)})
        elif not stream.views and camera.mount is MountKind.WALL:
            yield Finding(path, "are missing: the standard views of quad_ptz look all around, which a wall hides",
                          "Write four views for mount {mount}", {"mount": camera.mount.value})


def targets_exist(camera: Camera) -> Findings:
    """Target streams and the streams of areas are streams of the camera."""
    known = [stream.id for stream in camera.streams]
    guard = camera.privacy_guard
    named: list[tuple[Path, str]] = [(("target_streams",), name) for name in guard.target_streams]
    for key, areas in (("prohibited_areas", guard.prohibited_areas), ("always_mask_areas", guard.always_mask_areas)):
        named += [((key, str(index), "stream"), area.stream) for index, area in enumerate(areas) if area.stream]
    for path, name in named:
        if name not in known:
            yield Finding(at(camera, "privacy_guard", *path), "{value} is not a stream of this camera",
                          "Its streams are {known}", {"value": show(name), "known": one_of(known)})


def area_numbers_differ(camera: Camera) -> Findings:
    """An area is switched by its number, so each has one of its own."""
    guard = camera.privacy_guard
    for key, areas in (("prohibited_areas", guard.prohibited_areas), ("always_mask_areas", guard.always_mask_areas)):
        seen: set[int] = set()
        for index, area in enumerate(areas):
            if area.number in seen:
                yield Finding(at(camera, "privacy_guard", key, index, "number"),
                              "number {number} is taken by another area", "Give each area a number of its own",
                              {"number": area.number})
            seen.add(area.number)


def lens_can_be(camera: Camera) -> Findings:
    """Coefficients go with Kannala-Brandt alone, and an orthographic lens ends at 180°."""
    lens = camera.lens
    if lens.model is LensModelName.KANNALA_BRANDT and len(lens.coefficients) != 4:
        yield Finding(at(camera, "lens", "coefficients"), "kannala_brandt needs 4 coefficients, but there are {count}",
                      "Write coefficients: [k1, k2, k3, k4]", {"count": len(lens.coefficients)})
    if lens.model is not LensModelName.KANNALA_BRANDT and lens.coefficients:
        yield Finding(at(camera, "lens", "coefficients"), "{model} takes no coefficients",
                      "Remove them, or set model: kannala_brandt", {"model": lens.model.value})
    if lens.model is LensModelName.ORTHOGRAPHIC and lens.fov_deg > 180:
        yield Finding(at(camera, "lens", "fov_deg"), "{value} is more than the 180 an orthographic lens can see",
                      "Write 180 or less, or choose another model", {"value": f"{lens.fov_deg:g}"})


def outputs_have_targets(camera: Camera) -> Findings:
    """Files, folders and addresses to write to are named and of the right sort; served kinds name none."""
    for stream in camera.streams:
        for index, output in enumerate(stream.outputs):
            path = at(camera, "streams", stream.id, "outputs", index, "target")
            wanted = TARGETS.get(output.kind)
            params: dict[str, object] = {"kind": output.kind.value, "wanted": wanted, "value": show(output.target)}
            if wanted is None and output.target:
                yield Finding(path, "{kind} is served by aipg itself and has no target", "Remove the line", params)
            elif wanted and not output.target:
                yield Finding(path, "is missing: {kind} needs {wanted}", "Write target: with {wanted}", params)
            elif wanted and not _fits(output):
                yield Finding(path, "{value} is not {wanted}", "{kind} needs {wanted}", params)


def _fits(output: Output) -> bool:
    if output.kind is OutputKind.FILE:
        return output.target.lower().endswith((".mp4", ".mkv"))
    if output.kind is OutputKind.RTSP_PUBLISH:
        return output.target.lower().startswith(("rtsp://", "rtsps://")) and bool(_host_of(output.target))
    return "://" not in output.target


def _host_of(url: str) -> str | None:
    """The host of an address, None when there is none or the address is malformed."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def segments_are_whole(camera: Camera) -> Findings:
    """A segment holds at least one group of pictures: files are cut at key frames."""
    for stream in camera.streams:
        for index, output in enumerate(stream.outputs):
            if output.kind is OutputKind.SEGMENTS and output.segment_s < output.gop_s:
                yield Finding(at(camera, "streams", stream.id, "outputs", index, "segment_s"),
                              "{segment} is shorter than gop_s {gop}", "Make segment_s at least gop_s",
                              {"segment": f"{output.segment_s:g}", "gop": f"{output.gop_s:g}"})


def served_once(camera: Camera) -> Findings:
    """A stream is served once by each kind of server."""
    for stream in camera.streams:
        seen: set[OutputKind] = set()
        for index, output in enumerate(stream.outputs):
            if output.kind in seen and output.kind in SERVED_KINDS:
                yield Finding(at(camera, "streams", stream.id, "outputs", index, "kind"),
                              "{kind} is there twice", "Remove one; many clients can share it",
                              {"kind": output.kind.value})
            seen.add(output.kind)


def token_is_strong(camera: Camera) -> Findings:
    """The token is long and varied enough not to be guessed."""
    token = camera.privacy_guard.off_token
    if token is not None and (len(token) < SHORTEST_TOKEN or len(set(token)) < SHORTEST_TOKEN // 2):
        yield Finding(at(camera, "privacy_guard", "off_token"), "the token is easy to guess",
                      "Use at least {length} characters, {different} of them different, best from a generator",
                      {"length": SHORTEST_TOKEN, "different": SHORTEST_TOKEN // 2})


def _place(url: str) -> str:
    if "://" not in url or url.lower().startswith("file://"):
        return os.path.normpath(os.path.abspath(url.removeprefix("file://")))
    return url


def written_once(settings: Settings) -> Findings:
    """No two outputs write the same place, and none writes over a source."""
    streams = [(camera, stream) for camera in settings.cameras for stream in camera.streams]
    taken = {_place(stream.source.url): ".".join(at(camera, "streams", stream.id, "source"))
             for camera, stream in streams}
    for camera, stream in streams:
        for index, output in enumerate(stream.outputs):
            if not output.target:
                continue
            path = at(camera, "streams", stream.id, "outputs", index, "target")
            place = _place(output.target)
            if place in taken:
                yield Finding(path, "{value} is already used by {other}", "Write somewhere else",
                              {"value": show(output.target), "other": taken[place]})
            taken.setdefault(place, ".".join(path))


def mqtt_credentials_are_whole(settings: Settings) -> Findings:
    """A password needs a user; a client certificate needs its key; certificates need TLS; embedded has none."""
    mqtt = settings.mqtt
    if mqtt.password is not None and mqtt.username is None:
        yield Finding(("mqtt", "username"), "is missing while password is set", "Write both or neither")
    if (mqtt.tls_cert is None) != (mqtt.tls_key is None):
        missing = "tls_key" if mqtt.tls_key is None else "tls_cert"
        yield Finding(("mqtt", missing), "is missing: a client certificate needs both tls_cert and tls_key",
                      "Write both or neither")
    uses_tls = [name for name in ("tls_ca", "tls_cert", "tls_key", "tls_insecure") if getattr(mqtt, name)]
    if uses_tls and not mqtt.tls:
        yield Finding(("mqtt", uses_tls[0]), "has no effect while tls is off", "Set tls: on")
    if mqtt.tls and mqtt.broker == "embedded":
        yield Finding(("mqtt", "tls"), "the embedded broker speaks to this machine only, without TLS", "Set tls: off")


def mqtt_is_there_for_frigate(settings: Settings) -> Findings:
    """Following Frigate means listening on its broker."""
    if settings.mqtt.follow_frigate and settings.mqtt.broker in ("off", "embedded"):
        yield Finding(("mqtt", "follow_frigate"), "needs the broker Frigate uses, but broker is {broker}",
                      "Set mqtt.broker to that broker's host", {"broker": settings.mqtt.broker})


def web_is_protected(settings: Settings) -> Findings:
    """Who can reach the pages from outside must log in."""
    web = settings.web
    if (web.username is None) != (web.password is None):
        missing = "password" if web.password is None else "username"
        yield Finding(("web", missing), "is missing: username and password go together", "Write both or neither")
    elif web.username is None and not is_loopback(web.host):
        yield Finding(("web", "username"), "is missing: {host} is open to the network, so a login is needed",
                      "Write username and password, or set host: 127.0.0.1", {"host": web.host})
    for path, password in _web_passwords(settings):
        if not is_hash(password) and len(password) < SHORTEST_PASSWORD and not is_loopback(web.host):
            yield Finding(path, "is shorter than {length} characters while {host} is open to the network",
                          "Use a longer one", {"length": SHORTEST_PASSWORD, "host": web.host})


def onvif_can_check(settings: Settings) -> Findings:
    """ONVIF clients send a digest of the password, which only the password itself can be compared with."""
    web = settings.web
    if web.onvif and web.password is not None and is_hash(web.password):
        yield Finding(("web", "password"), "is a hash, and ONVIF log-ins cannot be compared with one",
                      "Write the password as ${{VARIABLE}}, or switch web.onvif off")


def _web_passwords(settings: Settings) -> Iterator[tuple[Path, str]]:
    web = settings.web
    if web.password is not None:
        yield ("web", "password"), web.password
    for user in web.users:
        yield ("web", "users", user.name, "password"), user.password


def proxies_are_named(settings: Settings) -> Findings:
    """A header that names the user is believed from named proxies only; their addresses can be read."""
    web = settings.web
    if web.user_header and not web.trusted_proxies:
        yield Finding(("web", "trusted_proxies"), "is missing: user_header is believed from trusted proxies only",
                      "Write the proxy's address, or remove user_header")
    for index, address in enumerate(web.trusted_proxies):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            yield Finding(("web", "trusted_proxies", str(index)), "{value} is not an address or network",
                          "Write an address such as 172.30.32.2, or a network such as 10.0.0.0/24",
                          {"value": show(address)})


def an_admin_is_left(settings: Settings) -> Findings:
    """Where users have to log in, one of them can change settings."""
    web = settings.web
    if web.users and web.username is None and not any(user.role == "admin" for user in web.users):
        yield Finding(("web", "users"), "none of the users is an admin", "Give one of them role: admin")


def plain_passwords(data: object) -> Findings:
    """Warning: a password of the pages that can be read in the file, as written there (before ${VARIABLE}s)."""
    web = data.get("web") if isinstance(data, Mapping) else None
    if not isinstance(web, Mapping):
        return
    users = web.get("users")
    written: list[tuple[Path, object]] = [(("web", "password"), web.get("password"))]
    written += [(("web", "users", str(name), "password"), user.get("password"))
                for name, user in (users.items() if isinstance(users, Mapping) else ()) if isinstance(user, Mapping)]
    for path, password in written:
        if isinstance(password, str) and not is_hash(password) and "${" not in password:
            yield Finding(path, "is written in plain text", "Replace it by a hash: aipg password makes one")


def ports_differ(settings: Settings) -> Findings:
    """Servers of our own listen on ports of their own; 0 is any free port."""
    ports = [("web.port", settings.web.port), ("web.rtsp_port", settings.web.rtsp_port)]
    if settings.mqtt.broker == "embedded":
        ports.append(("mqtt.port", settings.mqtt.port))
    seen: dict[int, str] = {}
    for name, port in ports:
        if port and port in seen:
            yield Finding(tuple(name.split(".")), "{port} is already the port of {other}", "Choose another port",
                          {"port": port, "other": seen[port]})
        seen.setdefault(port, name)


def one_class_is_a_person(settings: Settings) -> Findings:
    """The person class is one of the classes of a model of the user's own."""
    custom = settings.models.custom
    if custom and custom.person_class >= custom.classes:
        yield Finding(("models", "custom", "person_class"),
                      "{value} is not one of the {classes} classes, counted from 0",
                      "Write a smaller number, or correct classes",
                      {"value": custom.person_class, "classes": custom.classes})


CAMERA_RULES: tuple[Callable[[Camera], Findings], ...] = (
    capture_mode_fits_mount, quad_views, targets_exist, area_numbers_differ, lens_can_be, outputs_have_targets,
    segments_are_whole, served_once, token_is_strong)
SETTINGS_RULES: tuple[Callable[[Settings], Findings], ...] = (
    written_once, mqtt_credentials_are_whole, mqtt_is_there_for_frigate, web_is_protected, ports_differ,
    onvif_can_check, one_class_is_a_person, proxies_are_named, an_admin_is_left)


def broken(settings: Settings) -> list[Finding]:
    """Everything the rules refuse."""
    found = [finding for rule in CAMERA_RULES for camera in settings.cameras for finding in rule(camera)]
    return found + [finding for rule in SETTINGS_RULES for finding in rule(settings)]
