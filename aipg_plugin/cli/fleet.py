"""`aipg fleet`: one configuration over many machines."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from pathlib import Path

from aipg_plugin.cli.run import where_to_look
from aipg_plugin.errors import AipgError, UsageError
from aipg_plugin.fleet import engine
from aipg_plugin.fleet.coordinator import Coordinator
from aipg_plugin.settings.loader import load

_log = logging.getLogger(__name__)
EPILOG = """examples:
  aipg fleet guard.yaml --listen 10.0.0.1                 on the first machine: serves, places and watches the cameras
  aipg fleet --join 10.0.0.1:6379 --listen 10.0.0.2       on each further machine
  aipg fleet --listen 10.0.0.1                            without CONFIG: for `aipg redact FOLDER OUT --fleet` alone

All machines need ~/.ray/auth_token of the first, which makes it: whoever has it may run programs on all of them.
SIGTERM and SIGINT stop gracefully; SIGHUP reads CONFIG again, and a bad one changes nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg fleet`."""
    parser.epilog = EPILOG
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="YAML configuration, as for aipg run")
    parser.add_argument("--listen", metavar="IP[:PORT]", default="127.0.0.1", help="address of this machine for the "
                        "other machines (default %(default)s: for none); the first's port (default 6379)")
    parser.add_argument("--join", metavar="IP:PORT", help="be a node of the fleet whose first machine listens there")
    parser.add_argument("--cores", type=int, help="how many of this machine's cores cameras may use (default: all; "
                        "0 on the first machine: none there)")
    parser.add_argument("--seconds", type=float, help="stop after this long (for trials)")


def run(options: argparse.Namespace) -> int:
    """Be a node, or the first machine, until stopped."""
    if options.join and options.config:
        raise UsageError("a node takes no CONFIG: its cameras' settings come from the first machine",
                         cure="Leave CONFIG out, or --join")
    if options.cores is not None and options.cores < (1 if options.join else 0):
        raise UsageError("{name}: {value} is not in {low}–{high}", name="--cores", value=options.cores,
                         low=1 if options.join else 0, high=1000)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    logging.getLogger().setLevel(logging.INFO)
    listen = engine.endpoint(options.listen)
    if options.seconds is not None:
        threading.Timer(options.seconds, stop.set).start()
    if options.join:
        engine.join(engine.endpoint(options.join), listen, options.cores, stop)
        return 0
    return _first(options, listen, stop)


def _first(options: argparse.Namespace, listen: engine.Endpoint, stop: threading.Event) -> int:
    loaded = load(Path(options.config)) if options.config else None
    for warning in loaded.warnings if loaded else ():
        _log.warning("%s", warning.text())
    cluster = engine.connect(listen) if engine.answers(listen) else engine.start_head(listen, options.cores)
    _log.info("the fleet listens at %s", listen)
    try:
        if loaded is None:
            stop.wait()
            return 0
        coordinator = Coordinator(cluster, loaded.settings, config_file=loaded.path)
        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=_reload, args=(coordinator,)).start())
        try:
            coordinator.start()
            for line in where_to_look(loaded.settings):
                _log.info("%s", line)
            while not stop.wait(0.2):
                pass
        finally:
            coordinator.stop()
    finally:
        cluster.close()
    return 0


def _reload(coordinator: Coordinator) -> None:
    started_s = time.monotonic()
    try:
        coordinator.app.reload()
        _log.info("taken over in %.1f s", time.monotonic() - started_s)
    except AipgError as error:
        _log.error("the configuration was not taken over, the last good one stays in force:\n%s", error)
