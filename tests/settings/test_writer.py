"""Writing back: comments and order stay, all or nothing, one writer at a time."""

import errno
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import last_good_path, load, save_changes

TEXT = """\
# The shop's cameras

instance_id: shop   # keep

cameras:
    lobby:                      # behind the door
        streams:
            1: {source: "${CLIP}", outputs: [http]}
        privacy_guard: &guard
            enabled: on
            target_streams: all     # both of them
            prohibited_areas:
              # the till
              - rectangle: [0.1, 0.1, 0.2, 0.2]
                status: off
    hall:
        streams:
            1:
                source: b.mp4
                outputs:
                  - http
        privacy_guard: *guard

# end
"""
ENVIRON = {"CLIP": "a.mp4"}
GUARD = "cameras.lobby.privacy_guard"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "aipg.yaml"
    path.write_text(TEXT)
    return path


def difference(file: Path) -> list[tuple[str, str]]:
    """Lines that changed, before and after."""
    return [pair for pair in zip(TEXT.splitlines(), file.read_text().splitlines(), strict=True) if pair[0] != pair[1]]


def test_one_value_changes_one_line(file: Path) -> None:
    loaded = save_changes(file, {"instance_id": "other"}, environ=ENVIRON)
    assert loaded.settings.instance_id == "other"
    assert difference(file) == [("instance_id: shop   # keep", "instance_id: other   # keep")]


def test_variables_stay_variables(file: Path) -> None:
    loaded = save_changes(file, {"cameras.lobby.camera_height": 3.5}, environ=ENVIRON)
    assert loaded.settings.cameras[0].streams[0].source.url == "a.mp4"
    assert "${CLIP}" in file.read_text()


def test_a_shared_table_is_split_before_it_changes(file: Path) -> None:
    loaded = save_changes(file, {f"{GUARD}.prohibited_areas.0.status": True}, environ=ENVIRON)
    lobby, hall = loaded.settings.cameras
    assert lobby.privacy_guard.prohibited_areas[0].enabled is True
    assert hall.privacy_guard.prohibited_areas[0].enabled is False
    text = file.read_text()
    for comment in ("# The shop's cameras", "# keep", "# behind the door", "# both of them", "# the till", "# end"):
        assert comment in text


def test_a_merged_table_is_split_before_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "aipg.yaml"
    file.write_text("cameras:\n  a: &a\n    lens: {fov_deg: 190}\n    streams: {1: {source: a.mp4}}\n"
                    "  b:\n    <<: *a\n    mount: wall\n")
    first, second = save_changes(file, {"cameras.b.lens.fov_deg": 200}).settings.cameras
    assert (first.lens.fov_deg, second.lens.fov_deg) == (190, 200)


@pytest.mark.parametrize(("path", "value", "read"), [
    ("mqtt.broker", "embedded", lambda s: s.mqtt.broker),
    ("web.port", 0, lambda s: s.web.port),
    ("cameras.hall.mount", "wall", lambda s: s.cameras[1].mount),
    ("cameras.hall.streams.1.source", "c.mp4", lambda s: s.cameras[1].streams[0].source.url),
    ("cameras.hall.streams.1.outputs.0", "rtsp_serve", lambda s: s.cameras[1].streams[0].outputs[0].kind),
    ("cameras.hall.name", "yes", lambda s: s.cameras[1].name),
    ("cameras.hall.name", "1e3", lambda s: s.cameras[1].name),
    ("cameras.hall.name", 'a: "b" #c', lambda s: s.cameras[1].name)])
def test_what_is_written_is_read(file: Path, path: str, value: Any, read: Any) -> None:
    assert read(save_changes(file, {path: value}, environ=ENVIRON).settings) == value
    assert read(load(file, environ=ENVIRON).settings) == value


def test_areas_are_added_changed_and_removed(file: Path) -> None:
    key = "cameras.hall.privacy_guard"
    area = {"rectangle": [0.5, 0.5, 0.6, 0.6], "name": "screen"}
    save_changes(file, {f"{key}.prohibited_areas.1": area}, environ=ENVIRON)
    loaded = save_changes(file, {f"{key}.prohibited_areas.1.name": "screen 2"}, environ=ENVIRON)
    assert [area.name for area in loaded.settings.cameras[1].privacy_guard.prohibited_areas] == ["", "screen 2"]
    loaded = save_changes(file, {f"{key}.prohibited_areas.0": None}, environ=ENVIRON)
    assert [area.name for area in loaded.settings.cameras[1].privacy_guard.prohibited_areas] == ["screen 2"]
    assert len(loaded.settings.cameras[0].privacy_guard.prohibited_areas) == 1


@pytest.mark.parametrize(("path", "value", "says"), [
    ("mqtt.port", 99_999, "mqtt.port: 99999 is not in 0–65535"),
    ("mqt.port", 1, "Did you mean mqtt"),
    ("instance_id.x", 1, "is not a table"),
    (f"{GUARD}.prohibited_areas.7.status", True, "is not a place in a list of 1"),
    (f"{GUARD}.prohibited_areas.x", {}, "is not a place in a list"),
    ("cameras.lobby.mount", "celing", "Did you mean ceiling?")])
def test_a_bad_change_changes_nothing(file: Path, path: str, value: Any, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        save_changes(file, {path: value}, environ=ENVIRON)
    assert says in str(caught.value)
    assert file.read_text() == TEXT
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]


def test_several_changes_are_all_or_none(file: Path) -> None:
    with pytest.raises(SettingsError):
        save_changes(file, {"instance_id": "other", "web.port": -1}, environ=ENVIRON)
    assert file.read_text() == TEXT
    loaded = save_changes(file, {"instance_id": "other", "web.port": 8000}, environ=ENVIRON)
    assert (loaded.settings.instance_id, loaded.settings.web.port) == ("other", 8000)


def test_the_file_before_is_kept(file: Path) -> None:
    save_changes(file, {"instance_id": "first"}, environ=ENVIRON)
    assert last_good_path(file).read_text() == TEXT
    save_changes(file, {"instance_id": "second"}, environ=ENVIRON)
    assert load(last_good_path(file), environ=ENVIRON).settings.instance_id == "first"


def test_a_broken_file_is_never_kept_as_good(file: Path) -> None:
    save_changes(file, {"instance_id": "first"}, environ=ENVIRON)
    good = last_good_path(file).read_text()
    file.write_text(TEXT.replace("shop ", "no/id "))
    save_changes(file, {"instance_id": "third"}, environ=ENVIRON)
    assert last_good_path(file).read_text() == good


def test_rights_and_links_stay(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file.name)
    save_changes(link, {"instance_id": "linked"}, environ=ENVIRON)
    assert link.is_symlink()
    assert "linked" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_failing_disk_leaves_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left"):
        save_changes(file, {"instance_id": "other"}, environ=ENVIRON)
    assert file.read_text() == TEXT
    assert not list(file.parent.glob(".*"))


def test_what_the_file_says_in_its_own_words_stays(file: Path) -> None:
    text = ("cameras:\n  lobby:\n    name: ${NAME}\n    streams: {1: {source: a.mp4}, 2: {source: b.mp4}}\n"
            "    privacy_guard: {enabled: off, target_streams: all}\n")
    file.write_text(text)
    below = "cameras.lobby.privacy_guard"
    save_changes(file, {f"{below}.enabled": True, f"{below}.target_streams": ["1", "2"], "cameras.lobby.name": "x"},
                 environ={"NAME": "x"})
    assert file.read_text() == text.replace("off", "true")
    save_changes(file, {f"{below}.target_streams": ["2"], f"{below}.sensitivity": "high"}, environ={"NAME": "x"})
    assert "target_streams: ['2']" in file.read_text()
    assert "sensitivity: high" in file.read_text()


@pytest.fixture
def mounted(file: Path, tmp_path: Path) -> Iterator[Path]:
    """The settings mounted as a single file, as containers have them."""
    place = tmp_path / "container" / "aipg.yaml"
    place.parent.mkdir()
    place.touch()
    done = subprocess.run(["mount", "--bind", str(file), str(place)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_single_mounted_file_is_written_in_place(mounted: Path, file: Path) -> None:
    save_changes(mounted, {"instance_id": "a-rather-long-name-instead"}, environ=ENVIRON)
    assert "a-rather-long-name-instead" in file.read_text()
    loaded = save_changes(mounted, {"instance_id": "b"}, environ=ENVIRON)
    assert loaded.settings == load(file, environ=ENVIRON).settings
    assert file.read_text() == TEXT.replace("shop ", "b ")
    assert not [left for left in mounted.parent.iterdir() if left.name.startswith(".")]


def test_a_single_file_mounted_read_only_says_so(mounted: Path, file: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro,bind", str(mounted)], check=True)
    with pytest.raises(SettingsError, match="Read-only"):
        save_changes(mounted, {"instance_id": "other"}, environ=ENVIRON)
    assert file.read_text() == TEXT


@pytest.mark.parametrize("reason", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_folder_that_takes_no_files(file: Path, monkeypatch: pytest.MonkeyPatch, reason: int) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr(Path, "touch", refuse)
    save_changes(file, {"instance_id": "other"}, environ=ENVIRON)
    assert file.read_text() == TEXT.replace("shop ", "other ")


def test_in_place_a_full_disk_leaves_the_old_text(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite

    def half(handle: int, data: bytes, at: int) -> int:
        return real(handle, data[:len(data) // 2] if b"longer" in data else data, at)

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "replace", busy)
    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(SettingsError, match="No space left"):
        save_changes(file, {"instance_id": "longer-than-before"}, environ=ENVIRON)
    assert file.read_text() == TEXT


def test_writers_take_turns(file: Path) -> None:
    keys = ["instance_id", "web.port", "web.rtsp_port", "cameras.lobby.camera_height", "cameras.hall.camera_height"]
    values: list[Any] = ["many", 8001, 8002, 3.1, 3.2]
    threads = [threading.Thread(target=save_changes, args=(file, {key: value}), kwargs={"environ": ENVIRON})
               for key, value in zip(keys, values, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = load(file, environ=ENVIRON).settings
    assert [settings.instance_id, settings.web.port, settings.web.rtsp_port,
            *(camera.camera_height_m for camera in settings.cameras)] == values
