"""Examples that are shown are examples that work."""

import re
from pathlib import Path

import pytest

from aipg_plugin.settings import load
from tests.needs import CHECKOUT

ENVIRON = {"CAMERA_URL": "rtsp://192.0.2.1/1", "CAMERA_PASSWORD": "p", "GUARD_OFF_TOKEN": "kite-harbour-41-lamp",
           "MQTT_PASSWORD": "p", "WEB_PASSWORD": "long enough", "LOBBY_PASSWORD": "p"}
EXAMPLES = sorted((CHECKOUT / "examples").glob("*.yaml"))
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
BLOCKS = [(page.name, block) for page in PAGES
          for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
          if re.search(r"^cameras:$", block, re.M) and re.search(r"^ +privacy_guard:", block, re.M)]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_load_without_a_warning(file: Path) -> None:
    assert load(file, environ=ENVIRON).warnings == ()


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=[page for page, _ in BLOCKS])
def test_settings_shown_in_pages_load(page: str, block: str, tmp_path: Path) -> None:
    file = tmp_path / page
    file.write_text(block, encoding="utf-8")
    assert load(file, environ=ENVIRON).settings.cameras


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert {"README.md", "settings.md"} <= {page for page, _ in BLOCKS}
