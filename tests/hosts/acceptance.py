"""The whole acceptance in a checkout of Frigate or Viseron: start, detect, record, compare with the truth.

Run by run_in_frigate.sh and run_in_viseron.sh. The NVR sees the absolute folders it is written for as folders of ours,
in a mount namespace of its own, so it needs root and `unshare`; the checkout itself is copied and left alone.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.hosts.truth import clear_shares
from tests.needs import CHECKOUT
from tests.samples import CLIP
from tests.servers import Process, free_port, wait_for

MOST_CLEAR = 0.1
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


@dataclass(frozen=True)
class Nvr:
    """What is known of an NVR: the module to start, the folders it uses, where its recordings are."""

    module: str
    folders: tuple[str, ...]
    recordings: str
    config: str
    requirements: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


NVRS = {
    "frigate": Nvr("frigate", ("/config", "/media/frigate", "/tmp/cache"), "/media/frigate/recordings",
                   "/config/config.yml", ("docker/main/requirements-wheels.txt", "docker/main/requirements.txt"),
                   {"CONFIG_FILE": "/config/config.yml"}),
    "viseron": Nvr("viseron", ("/config", "/segments", "/event_clips", "/thumbnails", "/snapshots", "/timelapse",
                               "/home/abc/bin"), "/segments", "/config/config.yaml", ("requirements.txt",),
                   {"VISERON_CONFIG_DIR": "/config", "VISERON_FFMPEG_PATH": shutil.which("ffmpeg") or "ffmpeg"})}


class Acceptance:
    """One run. `step` prints what holds; the first that does not ends the run with what the programs said."""

    def __init__(self, name: str, checkout: Path, python: str, work: Path, seconds: float) -> None:
        self.name, self.nvr, self.python, self.work, self.seconds = name, NVRS[name], python, work, seconds
        self.source = work / "checkout"
        shutil.copytree(checkout, self.source, symlinks=True, ignore=shutil.ignore_patterns(".git", "node_modules"))
        version = self.source / "frigate" / "version.py"
        if name == "frigate" and not version.exists():
            version.write_text('VERSION = "0.0.0-acceptance"\n')
        self.folders = {folder: work / folder.strip("/").replace("/", "_") for folder in self.nvr.folders}
        for mine in self.folders.values():
            mine.mkdir()
        self.pages, self.rtsp, self.detector = free_port(), free_port(), free_port()
        self.guard_yaml = work / "guard.yaml"
        self.guard_yaml.write_text(yaml.safe_dump({
            "cameras": {"lobby": {"streams": {"1": {"source": {"url": str(CLIP), "loop": True},
                                                    "outputs": ["rtsp_serve", "http"]}},
                                  "privacy_guard": {"enabled": True, "target_streams": "all"}}},
            "web": {"port": self.pages, "rtsp_port": self.rtsp}, "models": {"threads": 1}}))

    def run(self) -> None:
        """Every step."""
        aipg = [sys.executable, "-m", "aipg_plugin"]
        with Process([*aipg, "run", str(self.guard_yaml)]) as guard, Process(
                [*aipg, "frigate-detector", "--endpoint", f"tcp://127.0.0.1:{self.detector}"]) as detector:
            self.step("aipg run guards, or masks whole pictures on a busy machine",
                      lambda: ": guarding" in guard.output() or ": failsafe" in guard.output(), guard, 90)
            self.place(self.mine(self.nvr.config), yaml.safe_dump(self.document()))
            with self.started() as program:
                self.step("it records", lambda: self.recorded() > 200_000, program, self.seconds)
                self.step("it is given detections", self.detects, program, 60)
                taken = self.copies()
            self.compare(taken)
            if self.name == "viseron":
                self.refuses_the_raw_camera()
            assert detector.running

    def document(self) -> dict[str, Any]:
        """The NVR's configuration: what we print, and what the documents say about the detector."""
        more = ["--component", str(self.work / "component")] if self.name == "viseron" else []
        printed = subprocess.run([sys.executable, "-m", "aipg_plugin", "nvr", self.name, str(self.guard_yaml), *more],
                                 capture_output=True, text=True, check=True, timeout=60).stdout
        document: dict[str, Any] = yaml.safe_load(printed)
        if self.name == "frigate":
            page = (CHECKOUT / "docs" / "hosts.md").read_text(encoding="utf-8")
            [detector] = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "type: zmq" in block]
            document |= yaml.safe_load(detector.replace("127.0.0.1:5555", f"127.0.0.1:{self.detector}"))
            document |= {"mqtt": {"enabled": False}}
        else:
            target = self.source / "viseron" / "components" / "aipg"
            shutil.copytree(self.work / "component" / "aipg", target, dirs_exist_ok=True)
            document |= {"nvr": {"lobby_1": {}}}
        return document

    def started(self) -> Process:
        """The NVR, with its folders bound to ours; what it has started ends with it."""
        binds = "".join(f"mkdir -p {theirs} && mount --bind {mine} {theirs} && "
                        for theirs, mine in self.folders.items())
        environment = {**os.environ, **self.nvr.environment, "PYTHONPATH": str(self.source)}
        return Process([*UNSHARE, "sh", "-c", f'{binds}cd "$1" && exec "$2" -u -m "$3"', "sh", str(self.source),
                        self.python, self.nvr.module], env=environment)

    def mine(self, theirs: str) -> Path:
        """Our path of one of its absolute paths."""
        folder = max((each for each in self.folders if theirs.startswith(each)), key=len)
        return self.folders[folder] / theirs.removeprefix(folder).strip("/")

    def place(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def files(self) -> list[Path]:
        """What has been recorded, complete or not."""
        return sorted(path for path in self.mine(self.nvr.recordings).rglob("*") if path.suffix in (".mp4", ".m4s"))

    def recorded(self) -> int:
        return sum(path.stat().st_size for path in self.files())

    def copies(self) -> list[Path]:
        """Recordings that no longer grow, as whole MP4 files: fragments follow their init file."""
        found = []
        for number, path in enumerate(self.files()):
            init = path.with_name("init.mp4")
            if path.name != "init.mp4":
                target = self.work / f"recording-{number}.mp4"
                target.write_bytes((init.read_bytes() if path.suffix == ".m4s" and init.exists() else b"")
                                   + path.read_bytes())
                found.append(target)
        return found

    def detects(self) -> bool:
        """Frigate's statistics of our detector; what Viseron's client asks for."""
        if self.name == "frigate":
            stats = asked("http://127.0.0.1:5001/stats")
            return bool(stats and stats.get("detectors", {}).get("aipg", {}).get("inference_speed"))
        people = asked(f"http://127.0.0.1:{self.pages}/api/cameras/lobby/people")
        return bool(people and people["people"])

    def compare(self, recordings: list[Path]) -> None:
        """Hardly a pixel of the people is clear in any recording."""
        shares = []
        for recording in recordings:
            try:
                shares += clear_shares(recording)
            except (OSError, ValueError):
                print(f"   {recording.name} is not complete and is left out")
        assert len(shares) > 5, "too little could be read of the recordings"
        mean = sum(shares) / len(shares)
        assert mean < MOST_CLEAR, f"{mean:.1%} of the people's pixels are clear"
        print(f"ok {len(shares)} recorded pictures compared with the truth: {mean:.1%} of people's pixels are clear")

    def refuses_the_raw_camera(self) -> None:
        """With the raw camera in its configuration it must not record."""
        before = set(self.files())
        file = self.mine(self.nvr.config)
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
        raw["ffmpeg"]["camera"]["lobby_1"]["path"] = "/raw"
        self.place(file, yaml.safe_dump(raw))
        with self.started() as program:
            self.step("it stops with the raw camera", lambda: not program.running, program, 60, ends=True)
        assert set(self.files()) == before, "it recorded the raw camera"

    def step(self, what: str, holds: Callable[[], object], program: Process, seconds: float, *,
             ends: bool = False) -> None:
        """Wait until something holds."""
        started_s = time.monotonic()
        try:
            wait_for(lambda: holds() or (not ends and not program.running), seconds, what)
            assert ends or program.running, "it ended"
        except AssertionError as error:
            raise SystemExit(f"FAILED {what}: {error}\n{program.output()[-6000:]}") from None
        print(f"ok {what} ({time.monotonic() - started_s:.0f} s)", flush=True)


def asked(url: str) -> Any:
    """JSON of a GET; None while there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.loads(reply.read())
    except (OSError, ValueError, urllib.error.HTTPError):
        return None


def environment(name: str, checkout: Path, work: Path) -> str:
    """A Python with what the checkout says it needs."""
    python = work / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(work / "venv")], check=True)
    files = [checkout / file for file in NVRS[name].requirements if (checkout / file).exists()]
    for file in files:
        subprocess.run([str(python), "-m", "pip", "install", "-q", "--prefer-binary", "-r", str(file)], check=True)
    return str(python)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nvr", choices=list(NVRS))
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--python", help="a Python that has what the checkout needs; default: a new environment")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long to wait for recordings")
    options = parser.parse_args()
    if not (options.checkout / options.nvr / "__init__.py").exists():
        raise SystemExit(f"{options.checkout} is no checkout of {options.nvr}")
    if os.getuid() != 0 or subprocess.run([*UNSHARE, "true"], check=False).returncode:
        raise SystemExit("needs root, and `unshare`: the NVR writes to folders such as /config")
    with tempfile.TemporaryDirectory(prefix=f"aipg-{options.nvr}-") as folder:
        work = Path(folder)
        python = options.python or environment(options.nvr, options.checkout, work)
        named = [Path(folder) for folder in NVRS[options.nvr].folders]
        missing = {path for folder in named for path in (folder, *folder.parents) if not path.exists()}
        try:
            Acceptance(options.nvr, options.checkout, python, work, options.seconds).run()
        except AssertionError as error:
            raise SystemExit(f"FAILED {error}") from None
        finally:
            for path in sorted(missing, key=lambda each: len(each.parts), reverse=True):
                if path.exists():
                    path.rmdir()
    print("accepted")


if __name__ == "__main__":
    main()
