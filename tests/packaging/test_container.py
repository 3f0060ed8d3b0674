"""The steps of deploy/Dockerfile without a container engine: a clean environment, its user, its commands."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import needs
from tests.needs import CHECKOUT
from tests.packaging.test_wheel import wheel  # noqa: F401  a fixture
from tests.samples import CLIP
from tests.servers import Process, free_port, wait_for

DOCKERFILE = re.sub(r"\\\n", " ", (CHECKOUT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
pytestmark = pytest.mark.timeout(600)


def instruction(name: str) -> str:
    """What stands after the last instruction of this name, lines joined."""
    return re.findall(rf"^{name}\s+(.*)$", DOCKERFILE, re.MULTILINE)[-1]


def as_user() -> list[str]:
    """The command that becomes the image's user."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        needs.missing("needs root, to be another user")
    uid = re.search(r"--uid (\d+)", DOCKERFILE)[1]  # type: ignore[index]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


def base_python() -> str:
    """A Python that the image's user can run, as an image has one; our own may lie in somebody's home."""
    for python in ("/usr/bin/python3", os.path.realpath(sys.executable)):
        code = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
        if subprocess.run([*as_user(), python, "-c", code], capture_output=True, check=False).returncode == 0:
            return python
    needs.missing("needs a Python 3.11 that every user can run")
    raise AssertionError


# In a mount namespace of its own: all is read-only but what `docker run` of docs/install.md mounts, and /dev.
READ_ONLY = """
set -e
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs "$1/data"
mount --bind "$1/config" "$1/config"
findmnt -rno TARGET | while read -r place; do
  case "$place" in /tmp|/dev*|/proc*|/sys*|"$1"/*) ;; *) mount -o remount,bind,ro "$place" ;; esac
done
shift
exec "$@"
"""
WRITABLE = """
import pathlib, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place, "probe").touch()
        print(place)
    except OSError:
        pass
"""


@pytest.fixture(params=[False, True], ids=["writable", "read-only"])
def root(request: pytest.FixtureRequest, image: Path) -> list[str]:
    """What stands before a command in the image: nothing, or what makes its root read-only."""
    if not request.param:
        return []
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", READ_ONLY, "sh", str(image)]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"may not mount here: {tried.stderr.strip()}")
    places = [str(image / "data"), str(image / "config"), "/tmp", str(image), str(image / "opt"), "/usr", "/etc"]
    python = str(image / "opt" / "aipg" / "bin" / "python")  # this one may lie in the /tmp that is hidden
    probed = subprocess.run([*prefix, python, "-c", WRITABLE, *places], capture_output=True, text=True, check=True)
    assert probed.stdout.split() == places[:3], "the read-only root is one, for root too"
    (image / "config" / "probe").unlink()
    return prefix


@pytest.fixture(scope="module")
def image(wheel: Path) -> Iterator[Path]:  # noqa: F811
    """A folder that everybody may enter, with /opt/aipg, /config and /data of the image in it."""
    with tempfile.TemporaryDirectory(prefix="aipg-image-", dir="/var/tmp") as made:
        root = Path(made)
        root.chmod(0o755)
        venv = root / "opt" / "aipg"
        assert "/opt/aipg/bin/pip install" in DOCKERFILE
        assert "python -m venv /opt/aipg" in DOCKERFILE
        subprocess.run([base_python(), "-m", "venv", "--without-pip", str(venv)], check=True, timeout=120)
        done = subprocess.run([sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "-q",
                               "--no-compile", "--disable-pip-version-check", str(wheel)],
                              capture_output=True, text=True, timeout=500, check=False)
        if done.returncode:
            needs.missing(f"needs the package index: {done.stderr[-300:]}")
        for name in ("config", "data"):
            (root / name).mkdir()
        yield root


def test_the_image_runs_as_another_user_and_is_healthy(image: Path, root: list[str]) -> None:
    port, rtsp = free_port(), free_port()
    clip = image / "config" / "lobby.mp4"
    shutil.copy(CLIP, clip)
    (image / "config" / "guard.yaml").write_text(yaml.safe_dump({
        "cameras": {"lobby": {"streams": {"1": {"source": {"url": str(clip), "loop": True},
                                                "outputs": ["rtsp_serve", "http"]}},
                              "privacy_guard": {"enabled": True, "target_streams": "all"}}},
        "web": {"port": port, "rtsp_port": rtsp}, "models": {"threads": 1}}))
    shutil.chown(image / "data", int(as_user()[1].partition("=")[2]))
    inside = [*as_user(), "env", "-i", "-C", str(image / "data"),
              f"PATH={image}/opt/aipg/bin:/usr/bin:/bin", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1",
              f"HOME={image}/data"]
    start = [word.replace("/config", f"{image}/config") for word in
             [*yaml.safe_load(instruction("ENTRYPOINT")), *yaml.safe_load(instruction("CMD"))]]
    check = yaml.safe_load(instruction("HEALTHCHECK").partition("CMD ")[2])
    healthy = [*inside, *(word.replace("8097", str(port)) for word in check)]
    def answers() -> bool:
        """Healthy, or told 503 with a reason: a busy machine masks whole pictures."""
        done = subprocess.run(healthy, capture_output=True, text=True, check=False)
        return done.returncode == 0 or "503" in done.stderr

    with Process([*root, *inside, *start]) as guard:
        wait_for(lambda: not guard.running or answers(), 60, "health")
        assert guard.running, guard.output()
        done = subprocess.run([needs.need("ffmpeg"), "-v", "error", "-rtsp_transport", "tcp", "-i",
                               f"rtsp://127.0.0.1:{rtsp}/lobby/1", "-frames:v", "3", "-f", "null", "-"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), "RTSP is served without anything of the system"
    assert shlex.split(instruction("USER")) == ["aipg"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_dependency_is_a_wheel_on_both_machines(machine: str) -> None:
    """The image builds without a compiler: for the Python that it has, glibc of Debian 12."""
    needs.need_module("uv")
    setup = configparser.ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    version = re.search(r"^FROM python:([\d.]+)-slim", DOCKERFILE, re.MULTILINE)
    assert version is not None
    resolve = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-build", "--python-version", version[1],
               "--python-platform", f"{machine}-manylinux_2_28", "-"]
    done = subprocess.run(resolve, input=setup["options"]["install_requires"], capture_output=True, text=True,
                          timeout=120, check=False)
    if done.returncode and "no usable wheels" not in done.stderr:
        needs.missing(f"needs the package index: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    assert "onnxruntime==" in done.stdout
