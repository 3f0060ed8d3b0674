"""`aipg demo`: guard the shipped clip live and say where to look."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from aipg_plugin.cli.run import serve, where_to_look
from aipg_plugin.errors import MediaError
from aipg_plugin.hosts.standalone import StandaloneHost
from aipg_plugin.options import (
    Camera,
    Lens,
    Mqtt,
    Output,
    OutputKind,
    PrivacyGuard,
    Settings,
    Source,
    Stream,
    Web,
)
from aipg_plugin.resources import resource_path
from aipg_plugin.settings.writer import save_changes, write_atomically
from aipg_plugin.web import make_pages

_START = """# Settings of `aipg demo`: the shipped clip, guarded. Changes made in the pages are written here.
cameras:
  lobby:
    name: Lobby
    streams:
      "1":
        source:
          url: {clip}
          loop: on
        outputs: [http, rtsp_serve]
    privacy_guard:
      enabled: on
      target_streams: ["1"]

mqtt:
  broker: embedded
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg demo`."""
    parser.add_argument("--seconds", type=float, help="stop after this long (default: until Ctrl-C)")
    parser.add_argument("--config", metavar="FILE", help="settings of the demo, made if it is not there "
                        "(default ~/.config/aipg/demo.yaml)")
    parser.add_argument("--port", type=int, default=Web().port, help="HTTP port on loopback (default %(default)s)")
    parser.add_argument("--rtsp-port", type=int, default=Web().rtsp_port, help="RTSP port (default %(default)s)")
    parser.add_argument("--mqtt-port", type=int, default=Mqtt().port, help="port of the embedded broker "
                        "(default %(default)s; another is taken if it is in use)")


def run(options: argparse.Namespace) -> int:
    """Everything embedded: stream server, RTSP server and broker on loopback, the clip in a loop."""
    clip = resource_path("samples", "lobby.mp4")
    if not clip.is_file():
        raise MediaError("the sample clip {file} is missing", file=str(clip), cure="Install the package again")
    file = Path(options.config) if options.config else demo_file()
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, _START.format(clip=json.dumps(str(clip))))
    settings = save_changes(file, {"web.port": options.port, "web.rtsp_port": options.rtsp_port,
                                   "mqtt.port": options.mqtt_port}).settings
    host = StandaloneHost(settings, config_file=file, pages=make_pages)
    print("The guarded demo, Ctrl-C ends it:")
    for line in [*where_to_look(settings), f"settings: {file} (kept from demo to demo; remove it to start anew)"]:
        print("  " + line, flush=True)
    print("The guard is on: people are masked. Switched off (page, or OFF on aipg/lobby/1/guard/set), the stream shows "
          "them, and the log says so.", flush=True)
    serve(host, seconds=options.seconds)
    return 0


def demo_file() -> Path:
    """Where the demo keeps what was set in its pages: in the user's configuration folder (XDG base directories)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "aipg" / "demo.yaml"


def settings_for(clip: str, web: Web) -> Settings:
    """Settings that guard one looped ceiling-fisheye clip."""
    outputs = (Output(OutputKind.HTTP), Output(OutputKind.RTSP_SERVE))
    camera = Camera("lobby", name="Lobby", lens=Lens(),
                    streams=(Stream("1", Source(clip, loop=True), outputs=outputs),),
                    privacy_guard=PrivacyGuard(enabled=True, target_streams=("1",)))
    return Settings(cameras=(camera,), web=web, mqtt=Mqtt(broker="embedded"))
