"""`aipg nvr`: print or verify the configuration of an NVR."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from aipg_plugin.errors import HostError, SettingsError, UsageError
from aipg_plugin.hosts import nvr_apply
from aipg_plugin.hosts.nvr import NVRS, YAML_NVRS, snippet, verify, viseron_component
from aipg_plugin.hosts.nvr_sources import parsed
from aipg_plugin.hosts.viseron.safety import COMPONENT, recorded_sources
from aipg_plugin.options import Settings
from aipg_plugin.settings.advice import unguarded
from aipg_plugin.settings.environment import system_environment, unset_for_sources
from aipg_plugin.settings.loader import load
from aipg_plugin.settings.rules import is_loopback

EPILOG = """examples:
  aipg nvr frigate guard.yaml --host 192.168.1.7     the snippet, as Frigate on another machine must see us
  aipg nvr frigate guard.yaml --host 192.168.1.7 --apply frigate.yml     write it there, keeping a copy
  aipg nvr frigate --verify frigate.yml guard.yaml   exit 7 while Frigate still knows a raw address
  aipg nvr frigate --verify frigate.yml              the same without our CONFIG: only what is surely ours passes"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `aipg nvr`."""
    parser.epilog = EPILOG
    parser.add_argument("nvr", choices=list(NVRS), help="which NVR")
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="our YAML configuration")
    parser.add_argument("--host", default="", help="name or address under which the NVR reaches this machine")
    parser.add_argument("--apply", metavar="FILE", type=Path,
                        help="write the snippet into this YAML file of the NVR; shows what changes and keeps a copy")
    parser.add_argument("--size", metavar="WxH", type=_size,
                        help="zoneminder: size of the guarded pictures, where no `aipg run` serves them now")
    parser.add_argument("--component", metavar="FOLDER", type=Path,
                        help="viseron: copy the component for Viseron's own image to FOLDER/aipg")
    # two values, for argparse gives an optional positional away before it sees what follows the option
    parser.add_argument("--verify", nargs="+", metavar=("NVR_CONFIG", "CONFIG"),
                        help="check this configuration of the NVR instead; our CONFIG may come before or after")


def run(options: argparse.Namespace) -> int:
    """Print the snippet, or verify."""
    theirs, *more = options.verify or [""]
    named = [name for name in (options.config, *more) if name]
    if len(named) > 1:
        raise UsageError("one CONFIG of ours, not {names}", names=", ".join(named), cure="Run it for each")
    settings = _settings(Path(named[0])) if named else None
    if not options.verify:
        if settings is None:
            raise UsageError("aipg nvr needs our CONFIG to print a snippet", cure="Name it, or use --verify")
        for camera, stream in unguarded(settings):
            print(f"# WARNING: {camera}/{stream}: no guard on this stream, people will be visible")
        if is_loopback(settings.web.host) and not (options.host and is_loopback(options.host)):
            kind = "WARNING" if options.host else "NOTE"
            print(f"# {kind}: web.host is {settings.web.host}: what we serve is reached from this machine only; for an "
                  "NVR elsewhere set web.host: 0.0.0.0, web.username and web.password")
        if options.apply is not None:
            return _apply(options.nvr, options.apply, _printed(options, settings), settings)
        print(_printed(options, settings), end="")
        return 0
    return _verify(options.nvr, Path(theirs), settings)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    return int(found[1]), int(found[2])


def _printed(options: argparse.Namespace, settings: Settings) -> str:
    if options.size and not NVRS[options.nvr].wants_size:
        raise UsageError("--size is for zoneminder", cure="Leave it out")
    if options.component is None:
        return snippet(options.nvr, settings, options.host, size_wh=options.size)
    if options.nvr != "viseron":
        raise UsageError("--component is for viseron", cure="Leave it out")
    try:
        return viseron_component(settings, options.component, options.host)
    except OSError as error:
        raise UsageError("{file} cannot be written: {error}", file=str(options.component),
                         error=error.strerror or type(error).__name__) from error


def _apply(nvr: str, path: Path, text: str, settings: Settings) -> int:
    """Write the snippet `text` into the NVR's file, then judge the file as `--verify` does."""
    if nvr not in YAML_NVRS:
        raise UsageError("{nvr} has no YAML file to write into", nvr=nvr, cure="Leave --apply out, and paste the text")
    try:
        before = nvr_apply.read(path)
        after = nvr_apply.merged(before, text)
        if after == before:
            print(f"# {path} says so already")
        else:
            print(nvr_apply.difference(before, after, str(path)), end="")
            print(f"# {path} is written, the old one is {nvr_apply.replace(path, before, after)}")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("{file} cannot be changed: {error}", file=str(path),
                         error=getattr(error, "strerror", None) or type(error).__name__) from error
    return _verify(nvr, path, settings)


def _settings(path: Path) -> Settings:
    """Our settings. An NVR's configuration holds nothing of the cameras', so their passwords need not be set."""
    try:
        return load(path).settings
    except SettingsError as error:
        unset = unset_for_sources(error)
        if not unset:
            raise
        return load(path, environ={**system_environment(), **dict.fromkeys(unset, "unset")}).settings


def _verify(nvr: str, path: Path, settings: Settings | None) -> int:
    try:
        text = NVRS[nvr].read(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("{file} cannot be read: {error}", file=str(path), error=type(error).__name__) from error
    try:
        if nvr == "viseron" and COMPONENT in parsed(text):  # our component inside: sub-streams may be raw
            guarded = recorded_sources(parsed(text))
        else:
            guarded = verify(nvr, text, settings)
    except HostError:
        print(f"{path}: NOT SAFE, the NVR may see people in clear")
        raise
    print(f"{path}: all {len(guarded)} sources are guarded" if guarded else f"{path}: no camera in it")
    return 0
