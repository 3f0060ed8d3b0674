"""`aipg run`: guard the cameras of a configuration, live."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from aipg_plugin.app import App
from aipg_plugin.hosts.standalone import StandaloneHost, run_until
from aipg_plugin.media import served
from aipg_plugin.media.server import Extend, chained
from aipg_plugin.onvif import make_onvif
from aipg_plugin.options import OutputKind, Settings
from aipg_plugin.settings.loader import load
from aipg_plugin.sharing import share_processor
from aipg_plugin.web import make_pages

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg run`."""
    parser.epilog = ("SIGTERM and SIGINT stop gracefully, files are closed properly; SIGHUP reads CONFIG again, and a "
                     "bad one changes nothing.")
    parser.add_argument("config", metavar="CONFIG", help="YAML configuration, see docs/settings.md")
    parser.add_argument("--seconds", type=float, help="stop after this long (for trials)")


def run(options: argparse.Namespace) -> int:
    """Guard until stopped."""
    path = Path(options.config)
    loaded = load(path)
    for warning in loaded.warnings:
        _log.warning("%s", warning.text())
    host = StandaloneHost(loaded.settings, config_file=path, pages=pages_of(loaded.settings))
    serve(host, seconds=options.seconds)
    return 0


def pages_of(settings: Settings) -> Callable[[App], Extend]:
    """What the stream server serves beside streams: the pages, and the ONVIF services where `web.onvif` is on."""
    factories = [make_pages, make_onvif] if settings.web.onvif else [make_pages]

    return lambda app: chained([factory(app) for factory in factories])


def serve(host: StandaloneHost, *, seconds: float | None) -> None:
    """Run a host in the foreground with the signals of a service."""
    share_processor()
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=host.reload, name="aipg-reload").start())
    for line in where_to_look(host.plugin.settings):
        _log.info("%s", line)
    run_until(host, stop, seconds=seconds)


def where_to_look(settings: Settings) -> list[str]:
    """One line per output: where the guarded picture can be seen."""
    web = settings.web
    lines = [f"pages: http://{served.in_url(web.host)}:{web.port}/"]
    for camera in settings.cameras:
        for stream in camera.streams:
            name = served.stream_name(camera.id, stream.id)
            for output in stream.outputs:
                match output.kind:
                    case OutputKind.HTTP:
                        ts, mjpeg, jpg = (served.http_url(web.host, web.port, name, kind) for kind in served.HTTP_KINDS)
                        lines.append(f"{name}: {mjpeg} (browser), {ts} (players, NVRs), {jpg} (snapshot)")
                    case OutputKind.RTSP_SERVE:
                        lines.append(f"{name}: {served.rtsp_url(web.host, web.rtsp_port, name)}")
                    case _:
                        lines.append(f"{name}: {output.label}")
    if settings.mqtt.broker != "off":
        lines.append(f"MQTT: {settings.mqtt.broker}:{settings.mqtt.port}, topics {settings.mqtt.prefix}/#")
    return lines
