"""`aipg`: finds the subcommand, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from aipg_plugin.cli.told import told
from aipg_plugin.dumps import forbid_core_dumps
from aipg_plugin.errors import AipgError, UsageError
from aipg_plugin.heap import bound_heap
from aipg_plugin.version import __version__

# name: (module, one line for --help); modules are imported when used, so that --help is quick
COMMANDS = {
    "run": ("aipg_plugin.cli.run", "guard the cameras of a configuration, live"),
    "redact": ("aipg_plugin.cli.redact", "mask the people in an image, a video or a folder"),
    "detect": ("aipg_plugin.cli.detect", "print where people are, as JSON"),
    "contact-sheet": ("aipg_plugin.cli.contact_sheet", "show every masking method and intensity in one picture"),
    "check": ("aipg_plugin.cli.check", "try every camera, model and broker of a configuration"),
    "password": ("aipg_plugin.cli.password", "make the hash of a password for the pages"),
    "settings": ("aipg_plugin.cli.settings", "print the reference of every setting"),
    "models": ("aipg_plugin.cli.models", "list the detectors that are here and what they measured"),
    "nvr": ("aipg_plugin.cli.nvr", "print or verify the configuration of an NVR"),
    "frigate-detector": ("aipg_plugin.cli.frigate_detector", "answer Frigate with our detector"),
    "install-service": ("aipg_plugin.cli.install_service", "run the guard as a systemd service"),
    "addon": ("aipg_plugin.cli.addon", "run as a Home Assistant add-on"),
    "demo": ("aipg_plugin.cli.demo", "guard the shipped clip live and say where to look"),
    "fleet": ("aipg_plugin.cli.fleet", "run a configuration over many machines"),
    "bench": ("aipg_plugin.cli.bench", "measure what guarding costs on this machine"),
}
_SERVICES = {"run", "demo", "addon", "fleet"}  # what they do is logged
_FILE_WITH_DASH = re.compile(r"-[^=]*\.[A-Za-z0-9]{2,5}")  # -clip.mp4: no option has a dot in its name
EPILOG = """exit codes:
  0 all went well   1 failed, or not all files done   2 wrong command line   3 wrong settings   4 wrong model
  5 source or sink failed   6 MQTT failed   7 NVR configuration is not safe   130, 143 interrupted

Start with:  aipg demo            or:  aipg redact picture.jpg guarded.jpg"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code."""
    arguments = [f"./{word}" if _FILE_WITH_DASH.fullmatch(word) else word
                 for word in (sys.argv[1:] if argv is None else argv)]
    try:
        return _run(arguments)
    except AipgError as error:
        print(f"aipg: {told(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("aipg: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def script() -> NoReturn:
    """`main` as a program: ends even if a library is still waiting for a network in a thread of ours.

    Python ends such threads while it shuts down by unwinding them, which aborts the process (exit code 134) where they
    are inside C++ code.
    """
    code = main()
    if any(thread.daemon for thread in threading.enumerate()):
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="aipg", description="AI Privacy Guard: hides people in fisheye video before anything else sees them.",
        formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"aipg {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".",
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
        sub.add_argument("-v", "--verbose", action="store_true", help="log what is done")
        if name == chosen:
            importlib.import_module(module).add_arguments(sub)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return UsageError.exit_code
    logging.basicConfig(level=logging.INFO if options.verbose or options.command in _SERVICES else logging.WARNING,
                        format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    bound_heap()
    forbid_core_dumps()
    code: int = importlib.import_module(COMMANDS[options.command][0]).run(options)
    return code


if __name__ == "__main__":
    script()
