"""Areas of a configuration when files of one of its streams are redacted."""

import argparse
from pathlib import Path

import pytest

from aipg_plugin.cli.common import add_camera_arguments, camera_from
from aipg_plugin.errors import UsageError
from aipg_plugin.options import Camera

CONFIG = """
cameras:
  lobby:
    streams:
      "1": {source: a.mp4}
      "2": {source: b.mp4, capture_mode: double_panorama}
      "3": {source: c.mp4}
    privacy_guard:
      enabled: on
      target_streams: all
      prohibited_areas: [{number: 2, rectangle: [0.2, 0.2, 0.4, 0.4], status: on, stream: "2"}]
      always_mask_areas: [{number: 7, rectangle: [0.2, 0.2, 0.4, 0.4], status: STATUS}]
"""


def camera_of(folder: Path, stream: str, status: str) -> Camera:
    (folder / "aipg.yaml").write_text(CONFIG.replace("STATUS", status))
    parser = argparse.ArgumentParser()
    add_camera_arguments(parser, masks=True)
    return camera_from(parser.parse_args(["--config", str(folder / "aipg.yaml"), "--stream", stream]), (100, 100))[0]


@pytest.mark.parametrize("stream", ["1", "3"])
def test_an_area_of_one_fisheye_stream_holds_in_files_of_the_others(tmp_path: Path, stream: str) -> None:
    guard = camera_of(tmp_path, stream, "on").privacy_guard
    assert [(area.number, area.stream) for area in guard.always_mask_areas] == [(7, stream)]
    assert guard.prohibited_areas == ()


def test_files_of_a_stream_in_which_an_always_mask_area_has_no_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="always-mask area 7 is drawn on stream 1"):
        camera_of(tmp_path, "2", "on")
    guard = camera_of(tmp_path, "2", "off").privacy_guard
    assert [(area.number, area.stream) for area in guard.prohibited_areas] == [(2, "2")]
