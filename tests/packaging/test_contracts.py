"""What the project promises of itself: packages listed, one version, no torch, one mint of guarded frames."""

from __future__ import annotations

import ast
import configparser
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import yaml

import aipg_plugin
from tests.needs import CHECKOUT

PACKAGE = CHECKOUT / "aipg_plugin"


def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(CHECKOUT / "setup.cfg")
    return parser


def test_every_package_is_listed() -> None:
    found = {"aipg_plugin"} | {".".join(path.parent.relative_to(CHECKOUT).parts)
                               for path in PACKAGE.rglob("__init__.py")}
    mapped = {line.split("=")[0].strip() for line in setup()["options"]["package_dir"].strip().splitlines()}
    assert set(setup()["options"]["packages"].split()) == found | mapped
    assert mapped == {"aipg_plugin.models", "aipg_plugin.samples", "aipg_plugin.translations"}


def test_one_version() -> None:
    assert setup()["metadata"]["version"] == "attr: aipg_plugin.version.__version__"
    assert yaml.safe_load((CHECKOUT / "plugin.yaml").read_text())["version"] == aipg_plugin.__version__


def test_the_readmes_test_command_is_what_ci_runs() -> None:
    assert "\n```sh\n./test\n```\n" in (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert '\ncheck "tests" ./test --junitxml ' in (CHECKOUT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_test_command_hands_its_arguments_to_pytest(tmp_path: Path) -> None:
    """With everything installed already: a venv whose Python only tells what it is asked to run."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text('#!/bin/sh\n[ "$2" = pip ] || echo "$@"\n')
    python.chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dpkg-query").write_text("#!/bin/sh\necho install ok installed\n")
    (tools / "dpkg-query").chmod(0o755)
    environment = {**os.environ, "AIPG_VENV": str(venv), "PATH": f"{tools}:{os.environ['PATH']}"}
    done = subprocess.run([CHECKOUT / "test", "tests/guard", "-k", "a b"], env=environment, capture_output=True,
                          text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "-m pytest tests/guard -k a b\n"), done.stderr


def test_no_module_imports_torch() -> None:
    modules = [module.name for module in pkgutil.walk_packages([str(PACKAGE)], "aipg_plugin.")
               if not module.name.endswith(("__main__", "viseron.client.object_detector"))]  # in Viseron only
    assert len(modules) > 50
    code = ("import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
            "heavy = {'torch', 'torchvision', 'onnx', 'scipy', 'pandas', 'matplotlib'} & set(sys.modules)\n"
            "assert not heavy, heavy")
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=CHECKOUT, capture_output=True, text=True,
                          timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def names_in(path: Path) -> set[str]:
    """Every name, attribute, import and text constant of a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        found |= {getattr(node, field) for field in ("id", "attr", "name", "asname")
                  if isinstance(getattr(node, field, None), str)}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def makes_a_guarded_frame(path: Path) -> bool:
    """Whether a module calls `….__new__(GuardedFrame)` or `_mint_guarded`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bare = any(isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "__new__"
               and any("GuardedFrame" in ast.dump(given) for given in node.args) for node in ast.walk(tree))
    return bare or "_mint_guarded" in names_in(path)


def test_only_the_guard_mints_guarded_frames() -> None:
    rooms = (PACKAGE, CHECKOUT / "benchmarks", CHECKOUT / "training")  # all of the repository but the tests' doubles
    makers = {path.relative_to(CHECKOUT).as_posix() for room in rooms for path in room.rglob("*.py")
              if makes_a_guarded_frame(path)}
    assert "aipg_plugin/frames.py" in makers
    assert [maker for maker in makers - {"aipg_plugin/frames.py"} if not maker.startswith("aipg_plugin/guard/")] == []
    assert len(makers) > 1


def test_the_scan_sees_what_it_looks_for(tmp_path: Path) -> None:
    for index, text in enumerate(["from aipg_plugin.frames import _mint_guarded as m", "import f\nf._mint_guarded()",
                                  "getattr(f, '_mint_guarded')", "object.__new__(frames.GuardedFrame)"]):
        path = tmp_path / f"{index}.py"
        path.write_text(text)
        assert makes_a_guarded_frame(path), text
