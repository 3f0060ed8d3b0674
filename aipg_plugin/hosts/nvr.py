"""Snippets that make an NVR read guarded streams only, and the check that it does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from aipg_plugin.credentials import redacted
from aipg_plugin.errors import HostError, Problem
from aipg_plugin.hosts import homeassistant, nvr_snippets, nvr_sources, zoneminder
from aipg_plugin.hosts.guarded_urls import Addresses, GuardedUrls, guarded_urls
from aipg_plugin.hosts.nvr_sources import Found
from aipg_plugin.hosts.zoneminder import measured
from aipg_plugin.options import Settings

_CLIENT = Path(__file__).with_name("viseron") / "client"
_CURE = "Put the guarded address in its place"


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


@dataclass(frozen=True)
class Nvr:
    """What we know of one NVR: how its snippet is written, and how to find the sources in its configuration.

    `read` gives its text with what belongs to it, or raises OSError or UnicodeDecodeError; `may_be_empty` says whether
    a configuration without any source is complete (a file that lists cameras among others).
    """

    name: str
    snippet: Callable[[list[GuardedUrls]], str]
    sources: Callable[[str, Mapping[str, str]], Iterator[Found]] | None
    read: Callable[[Path], str] = _text_of
    may_be_empty: Callable[[str], bool] = lambda _text: False
    wants_size: bool = False


NVRS: dict[str, Nvr] = {nvr.name: nvr for nvr in (
    Nvr("frigate", nvr_snippets.frigate, nvr_sources.frigate),
    Nvr("viseron", nvr_snippets.viseron, nvr_sources.viseron),
    Nvr("zoneminder", zoneminder.snippet, None, wants_size=True),
    Nvr("motion", nvr_snippets.motion, nvr_sources.motion, read=nvr_sources.read_motion),
    Nvr("homeassistant", nvr_snippets.homeassistant, homeassistant.sources, read=homeassistant.read,
        may_be_empty=homeassistant.may_be_empty),
)}
YAML_NVRS = ("frigate", "viseron", "homeassistant")


def snippet(nvr: str, settings: Settings, host: str = "", *, size_wh: tuple[int, int] | None = None) -> str:
    """The configuration an NVR needs. Raises HostError when no stream has a served or published output.

    For an NVR that wants the pictures' size, that is `size_wh` for every stream, else what a running guard serves now.
    """
    urls = _urls(settings, host)
    if NVRS[nvr].wants_size:
        here = guarded_urls(settings, "127.0.0.1" if settings.web.host in ("0.0.0.0", "::") else "")
        urls = [replace(url, size_wh=size_wh or measured(near.video)) for url, near in zip(urls, here, strict=True)]
    return _transport(urls) + NVRS[nvr].snippet(urls)


def _transport(urls: list[GuardedUrls]) -> str:
    """A comment, in YAML, SQL and motion's files alike."""
    said = "# RTSP is served over TCP only; who asks for UDP is told so (461), and most programs then take TCP.\n"
    return said if any(url.rtsp for url in urls) else ""


def viseron_component(settings: Settings, folder: Path, host: str = "") -> str:
    """Copy the component for Viseron's own image to `folder`/aipg; returns the configuration that goes with it.

    Raises HostError when no stream has an output, OSError when the folder cannot be written.
    """
    urls, web = _urls(settings, host), settings.web
    for file in sorted(_CLIENT.glob("*.py")):
        (folder / "aipg").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / "aipg" / file.name)
    place = host or web.host
    pages = f"http://[{place}]:{web.port}" if ":" in place else f"http://{place}:{web.port}"
    return _transport(urls) + nvr_snippets.viseron_client(urls, pages, (web.username or "", web.password or ""))


def _urls(settings: Settings, host: str) -> list[GuardedUrls]:
    urls = guarded_urls(settings, host)
    if not urls:
        raise HostError("no stream has an output that an NVR can read", path="cameras.*.streams.*.outputs",
                        cure="Add an output of kind rtsp_serve or http")
    return urls


def verify(nvr: str, text: str, settings: Settings | None = None, *,
           environ: Mapping[str, str] | None = None) -> list[str]:
    """The guarded addresses an NVR's configuration reads.

    `settings` are ours; without them only what is recognisably ours passes (see `Addresses`). Raises HostError with
    a problem for every source that is not one of ours or cannot be judged, or when there is none where one must be.
    """
    find = NVRS[nvr].sources
    if find is None:
        raise HostError("the configuration of {nvr} lies in its database and cannot be verified", nvr=nvr,
                        cure="Compare its sources with what this command prints without --verify")
    guarded, problems = judge(find(text, os.environ if environ is None else environ), Addresses(settings),
                              known=settings is not None)
    if not guarded and not problems and not NVRS[nvr].may_be_empty(text):
        problems.append(Problem("no video source was found", cure="Check that this is the NVR's configuration"))
    if problems:
        raise HostError("", problems=problems)
    return guarded


def judge(sources: Iterable[Found], addresses: Addresses, *, known: bool = True) -> tuple[list[str], list[Problem]]:
    """Sort sources into guarded addresses and problems. `known`: our settings are among what `addresses` knows."""
    guarded, problems = [], []
    for found in sources:
        if not found.doubt and addresses.is_guarded(found.url):
            guarded.append(found.url)
            continue
        if found.doubt:
            message, cure = found.doubt, "Write the guarded address out in full"
        elif addresses.is_raw(found.url):
            message, cure = "{url} is the raw camera", _CURE
        elif known:
            message, cure = "{url} is no guarded stream of this configuration", _CURE
        else:
            message = "{url} is not known to be a guarded stream"
            cure = "Put the guarded address in its place, and name our CONFIG to tell them apart"
        problems.append(Problem(message, path=found.where, cure=cure,
                                params={"url": redacted(found.url) or "this source"}))
    return guarded, problems
