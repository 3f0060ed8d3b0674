"""`aipg nvr`: print or verify the configuration of an NVR."""

from __future__ import annotations

import argparse
from pathlib import Path

from aipg_plugin.errors import HostError, UsageError
from aipg_plugin.hosts.nvr import NVRS, snippet, verify
from aipg_plugin.hosts.nvr_sources import parsed, read
from aipg_plugin.hosts.viseron.safety import COMPONENT, recorded_sources
from aipg_plugin.settings.advice import unguarded
from aipg_plugin.settings.loader import load

EPILOG = """examples:
  aipg nvr frigate guard.yaml --host 192.168.1.7     the snippet, as Frigate on another machine must see us
  aipg nvr frigate --verify frigate.yml guard.yaml   exit 7 while Frigate still knows a raw address
  aipg nvr frigate --verify frigate.yml              the same without our CONFIG: only what is surely ours passes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg nvr`."""
    parser.epilog = EPILOG
    parser.add_argument("nvr", choices=list(NVRS), help="which NVR")
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="our YAML configuration")
    parser.add_argument("--host", default="", help="name or address under which the NVR reaches this machine")
    # two values, for argparse gives an optional positional away before it sees what follows the option
    parser.add_argument("--verify", nargs="+", metavar=("NVR_CONFIG", "CONFIG"),
                        help="check this configuration of the NVR instead; our CONFIG may come before or after")


def run(options: argparse.Namespace) -> int:
    """Print the snippet, or verify."""
    theirs, *more = options.verify or [""]
    named = [name for name in (options.config, *more) if name]
    if len(named) > 1:
        raise UsageError("one CONFIG of ours, not {names}", names=", ".join(named), cure="Run it for each")
    settings = load(Path(named[0])).settings if named else None
    if not options.verify:
        if settings is None:
            raise UsageError("aipg nvr needs our CONFIG to print a snippet", cure="Name it, or use --verify")
        for camera, stream in unguarded(settings):
            print(f"# WARNING: {camera}/{stream}: no guard on this stream, people will be visible")
        print(snippet(options.nvr, settings, options.host), end="")
        return 0
    path = Path(theirs)
    try:
        text = read(options.nvr, path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("{file} cannot be read: {error}", file=str(path), error=type(error).__name__) from error
    try:
        if options.nvr == "viseron" and COMPONENT in parsed(text):  # our component inside: sub-streams may be raw
            guarded = recorded_sources(parsed(text))
        else:
            guarded = verify(options.nvr, text, settings)
    except HostError:
        print(f"{path}: NOT SAFE, the NVR may see people in clear")
        raise
    print(f"{path}: all {len(guarded)} sources are guarded" if guarded else f"{path}: no camera in it")
    return 0
