"""What is built is what runs: the wheel, installed in an environment of its own, away from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.needs import CHECKOUT, missing, need_module
from tests.samples import CLIP
from tests.servers import Process, free_port, wait_for

PARTS = ("aipg_plugin", "models", "samples", "translations", "setup.cfg", "pyproject.toml", "plugin.yaml", "README.md",
         "LICENSE", "NOTICE")
pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, cwd: Path) -> str:
    """Output of a command that knows nothing of the checkout; fails the test with all it said."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "AIPG"))}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=known, capture_output=True, text=True,
                          timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in PARTS:
        part = CHECKOUT / name
        if part.is_dir():
            shutil.copytree(part, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(part, source / name)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", out,
        source, cwd=source)
    [built] = out.glob("aipg-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment with the wheel; the dependencies are those of this interpreter."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, cwd=folder)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_wheel_carries_models_translations_samples_and_papers(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("models", "samples", "translations"):
        for file in (CHECKOUT / folder).iterdir():
            if file.is_file() and not file.name.endswith(".py"):
                assert f"aipg_plugin/{folder}/{file.name}" in names
    static = CHECKOUT / "aipg_plugin" / "web" / "static"
    for file in static.rglob("*") if static.is_dir() else ():
        assert file.is_dir() or f"aipg_plugin/web/static/{file.relative_to(static)}" in names
    assert {"aipg_plugin/plugin.yaml", "aipg_plugin/py.typed"} <= names
    assert {Path(name).name for name in names if ".dist-info/" in name} >= {"LICENSE", "NOTICE"}
    developers = ("tests/", "training/", "benchmarks/", "evaluation/", "rendering/")
    assert not [name for name in names if name.startswith(developers)]


def test_it_runs_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    assert "redact" in run(installed / "bin" / "aipg", "--help", cwd=tmp_path)
    reference = run(installed / "bin" / "aipg", "settings", cwd=tmp_path)
    assert reference.strip() == (CHECKOUT / "docs" / "settings.md").read_text(encoding="utf-8").strip()


def test_models_and_texts_come_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    code = ("import json; from aipg_plugin import resources as r; print(json.dumps([str(r.resource_path('models')), "
            "str(r.resource_path('', 'plugin.yaml')), r.languages(), r.text('settings.lens.fov_deg', 'de')]))")
    models, manifest, languages, text = json.loads(run(installed / "bin" / "python", "-c", code, cwd=tmp_path))
    assert Path(models).is_relative_to(installed)
    assert (Path(models) / "models.json").is_file()
    assert Path(manifest).read_text() == (CHECKOUT / "plugin.yaml").read_text()
    assert languages == sorted(path.stem for path in (CHECKOUT / "translations").glob("*.json"))
    assert text.startswith("Bildwinkel")


def test_it_masks_a_picture(installed: Path, tmp_path: Path) -> None:
    picture = np.full((480, 480, 3), 90, np.uint8)
    cv2.circle(picture, (240, 240), 230, (120, 140, 160), -1)
    cv2.imwrite(str(tmp_path / "in.png"), picture)
    run(installed / "bin" / "aipg", "redact", "in.png", "out.png", cwd=tmp_path)
    assert cv2.imread(str(tmp_path / "out.png")).shape == picture.shape


@pytest.mark.parametrize("command", [["pipx", "install", "--backend", "uv"], ["uv", "tool", "install", "-q"]],
                         ids=["pipx", "uv"])
def test_it_is_installed_as_a_program_of_its_own(command: list[str], wheel: Path, tmp_path: Path) -> None:
    """As docs/install.md says, with all its dependencies from the package index: nothing else is needed."""
    for name in {command[0], "uv"}:
        need_module(name)
    known = {**os.environ, "PIPX_HOME": str(tmp_path / "tools"), "PIPX_BIN_DIR": str(tmp_path / "bin"),
             "PIPX_MAN_DIR": str(tmp_path / "man"), "UV_TOOL_DIR": str(tmp_path / "tools"),
             "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    done = subprocess.run([sys.executable, "-m", *command, "--python", sys.executable, str(wheel)], env=known,
                          capture_output=True, text=True, timeout=250, check=False)
    if done.returncode:
        missing(f"needs the package index: {done.stderr[-300:]}")
    assert_serves_rtsp(tmp_path / "bin" / "aipg", tmp_path)


def assert_serves_rtsp(program: Path, folder: Path) -> None:
    """It runs away from the checkout and serves the sample clip over RTSP, with nothing of the system."""
    port = free_port()
    config = folder / "guard.yaml"
    config.write_text(json.dumps({
        "cameras": {"lobby": {"streams": {"1": {"source": {"url": str(CLIP), "loop": True}, "outputs": ["rtsp_serve"]}},
                              "privacy_guard": {"enabled": True, "target_streams": "all"}}},
        "web": {"port": free_port(), "rtsp_port": port}, "models": {"threads": 1}}))
    with Process(["env", "-C", str(folder), "-i", "PATH=", str(program), "run", str(config)]) as guard:
        wait_for(lambda: _width(f"rtsp://127.0.0.1:{port}/lobby/1") or not guard.running, 90, "a picture over RTSP")
        assert guard.running, guard.output()


def _width(url: str) -> int:
    """Of the first picture; 0 while nothing is served."""
    try:
        with av.open(url, options={"rtsp_transport": "tcp"}, timeout=30) as served:
            return next(served.decode(video=0)).width
    except (OSError, av.error.FFmpegError):
        return 0
