"""What is allowed but probably not meant, one function each: warned of, never refused."""

from __future__ import annotations

from collections.abc import Callable

from aipg_plugin.options import CaptureMode, Settings, Stream
from aipg_plugin.settings.rules import Finding, Findings, at


def unguarded(settings: Settings) -> list[tuple[str, str]]:
    """Camera and id of every stream that shows people: it has outputs and the guard leaves it alone."""
    return [(camera.id, stream.id) for camera in settings.cameras if camera.enabled for stream in camera.streams
            if stream.outputs and not camera.privacy_guard.guards(stream.id)]


def clear_outputs(settings: Settings) -> Findings:
    """Warning: outputs of a stream the guard leaves alone show people."""
    for camera, stream in unguarded(settings):
        yield Finding(("cameras", camera, "streams", stream, "outputs"), "people will be visible: no guard on this "
                      "stream", "Set privacy_guard.enabled: on and name it in target_streams")


def off_is_open(settings: Settings) -> Findings:
    """Warning: whoever reaches a broker without a login may switch the guard off where no token is needed."""
    mqtt = settings.mqtt
    if mqtt.broker in ("off", "embedded") or mqtt.username is not None or mqtt.tls_cert is not None:
        return
    for camera in settings.cameras:
        if camera.enabled and camera.privacy_guard.enabled and camera.privacy_guard.off_token is None:
            yield Finding(at(camera, "privacy_guard", "off_token"), "is missing: whoever reaches the broker {broker} "
                          "can switch the guard off", "Set off_token, or use a broker with a login",
                          {"broker": mqtt.broker})


def nothing_to_do(settings: Settings) -> Findings:
    """Warning: cameras without outputs, or no camera at all."""
    if not settings.cameras:
        yield Finding(("cameras",), "there is no camera", "Add one; examples/ has a start")
    for camera in settings.cameras:
        if camera.enabled and not any(stream.outputs for stream in camera.streams):
            yield Finding(at(camera, "streams"), "no stream has outputs, so no picture goes anywhere",
                          "Add outputs: [http] to a stream")


def view_has_effect(settings: Settings) -> Findings:
    """Warning: a view in a capture mode that has none."""
    blind = {CaptureMode.FISHEYE, CaptureMode.QUAD_PTZ}
    for camera in settings.cameras:
        for stream in camera.streams:
            if stream.capture_mode in blind and stream.view != Stream("", stream.source).view:
                yield Finding(at(camera, "streams", stream.id, "view"), "has no effect in capture_mode {mode}",
                              "Remove it", {"mode": stream.capture_mode.value})


WARNINGS: tuple[Callable[[Settings], Findings], ...] = (clear_outputs, off_is_open, nothing_to_do, view_has_effect)


def doubtful(settings: Settings) -> list[Finding]:
    """Everything there is to warn of."""
    return [finding for rule in WARNINGS for finding in rule(settings)]
