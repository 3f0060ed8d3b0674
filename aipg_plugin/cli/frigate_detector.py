"""`aipg frigate-detector`: our net as Frigate's object detector."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from pathlib import Path

from aipg_plugin.detection.onnx import load_model
from aipg_plugin.hosts.frigate import FrigateServer, RegionDetector
from aipg_plugin.options import Models
from aipg_plugin.settings.loader import load

_log = logging.getLogger(__name__)
EPILOG = """in Frigate's configuration:
  detectors:
    aipg: {type: zmq, endpoint: "tcp://127.0.0.1:5555", request_timeout_ms: 1000}
  model: {width: 320, height: 320, input_tensor: nhwc, input_pixel_format: rgb, path: /config/any-file.onnx}
Regions are pictures and the protocol knows no passwords: keep the endpoint on loopback or a private network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg frigate-detector`."""
    parser.epilog = EPILOG
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:5555", help="where Frigate asks (default %(default)s)")
    parser.add_argument("--turns", type=int, choices=(1, 4, 8), default=8,
                        help="directions people may stand in: 8 for a ceiling fisheye, 1 for upright (default 8)")
    parser.add_argument("--min-score", type=float, default=0.25, metavar="S",
                        help="leave out weaker finds (default 0.25)")
    parser.add_argument("--colour", choices=("rgb", "bgr"), default="rgb", help="model.input_pixel_format of Frigate")
    parser.add_argument("--config", metavar="FILE", help="take the detector (models) from this configuration")
    parser.add_argument("--seconds", type=float, help="stop after this long (for trials)")


def run(options: argparse.Namespace) -> int:
    """Answer until SIGTERM or SIGINT."""
    models = load(Path(options.config)).settings.models if options.config else Models()
    net = load_model(models)
    detector = RegionDetector(net, turns=options.turns, min_score=options.min_score)
    server = FrigateServer(options.endpoint, detector, colour=options.colour).start()
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    print(f"{net.name} ({net.provider}) answers Frigate on {server.endpoint}", flush=True)
    stop.wait(options.seconds)
    server.close()
    _log.info("%d regions answered, %d refused", server.answered, server.refused)
    return 0
