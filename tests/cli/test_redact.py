"""`aipg redact` and `aipg detect` on files as people have them: folders, odd names, odd contents, interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from aipg_plugin.cli.folder import jobs_in
from aipg_plugin.cli.main import main
from aipg_plugin.resources import resource_path
from tests.media.clips import write_clip
from tests.media.test_images import bomb
from tests.media.test_tracks import write as write_tracks

STILL = resource_path("samples", "lobby_still.jpg")
CLIP = resource_path("samples", "lobby.mp4")


@pytest.fixture(scope="module")
def small() -> bytes:
    """A small JPEG of the sample room."""
    picture = cv2.resize(cv2.imread(str(STILL)), (320, 320), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", picture)[1])


def redact(*arguments: str | Path) -> int:
    return main(["redact", *map(str, arguments), "--quiet"])


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_done_or_named_file_by_file(tmp_path: Path, small: bytes,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    (source / "b_ok.jpg").write_bytes(small)
    (source / "sub" / "c.jpg").write_bytes(small)
    (source / "notes.txt").write_text("no picture\n")
    (source / "empty.mp4").touch()
    bomb(source / "a_huge.png")
    (source / "gone.jpg").symlink_to(tmp_path / "nowhere")
    write_clip(source / "d.3gp", frames=2)
    assert redact(source, target) == 1
    told = capsys.readouterr()
    assert names(target) == ["b_ok.jpg", "d.3gp"]
    for name in ("a_huge.png", "notes.txt", "empty.mp4", "gone.jpg", "sub"):
        assert f"aipg: {name}: not done: " in told.err, name
    assert "empty.mp4: the file is empty" in told.err
    assert "--recursive" in told.err
    assert "2 of 7 done, 5 not" in told.err
    assert "Traceback" not in told.err
    assert "b_ok.jpg" in told.out


def test_folders_in_a_folder_are_done_when_asked_but_never_the_target(tmp_path: Path, small: bytes,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a" / "deep.mp4").mkdir(parents=True)
    (tmp_path / "a" / "deep.mp4" / "c.jpg").write_bytes(small)
    (tmp_path / "out" / "old").mkdir(parents=True)
    (tmp_path / "out" / "old" / "x.jpg").write_bytes(small)
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    assert redact(tmp_path, tmp_path / "out", "--recursive", "--json") == 1  # for the link, which is not followed
    told = capsys.readouterr()
    assert names(tmp_path / "out") == ["a/deep.mp4/c.jpg", "old/x.jpg"]
    rows = json.loads(told.out)
    assert [bool(row.get("error")) for row in rows] == [False, True]


def test_no_two_files_are_written_to_one(tmp_path: Path) -> None:
    for name in ("a.webm", "a.webm.mp4"):
        write_clip(tmp_path / "x.mkv", frames=1).rename(tmp_path / name)
    jobs = jobs_in(tmp_path, tmp_path / "out", recursive=False)
    assert [job.target.name for job in jobs] == ["a.webm.mp4", "a.webm.mp4"]
    assert [bool(job.reason) for job in jobs] == [False, True]


@pytest.mark.parametrize(("more", "code", "says"), [
    (("--crf", "99"), 2, "--crf: 99 is not in 0–51"), (("--encoder", "h264_nonsense"), 5, "h264_nonsense"),
    (("--preset", "nonsense"), 5, "no encoder opens")])
def test_settings_of_the_output_are_refused_before_anything_is_read(
        tmp_path: Path, small: bytes, more: tuple[str, str], code: int, says: str,
        capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(small)
    assert redact(tmp_path / "in", tmp_path / "out", *more) == code
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("name", "more", "says"), [
    ("out.webm", (), "no video file that can be written"), ("out.jpg", (), "no video file"),
    ("out.avi", ("--audio", "pass"), "cannot carry aac audio")])
def test_an_output_that_cannot_be_is_refused_before_any_work(
        tmp_path: Path, name: str, more: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_tracks(tmp_path / "in.mov", sounds=("pcm_alaw",), frames=3)
    monkeypatch.setattr("aipg_plugin.guard.stream.StreamGuard.plan", lambda *_, **__: pytest.fail("work began"))
    assert redact(clip, tmp_path / name, *more) in {2, 5}
    assert says in capsys.readouterr().err
    assert names(tmp_path) == ["in.mov"]


@pytest.mark.parametrize("name", ["12:45:28.mp4", "a%20b #1.mp4", "rtsp:cam.mp4", "-v.mp4", "0", "ümläut 🎥.mkv",
                                  "file:x.mp4", "con%d.mp4"])
def test_files_are_files_whatever_they_are_called(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "x.mp4", frames=2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["redact", "--quiet", "--", name, "13:00.mp4"]) == 0
    assert redact(tmp_path / name, tmp_path / f"out-{name if '.' in name else name + '.mp4'}") == 0
    for made in set(names(tmp_path)) - {name}:
        with av.open(f"file:{tmp_path / made}") as box:
            assert sum(1 for _ in box.decode(video=0)) == 2


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path, small: bytes) -> None:
    name = "ü" * 125 + ".jpg"
    (tmp_path / "a.jpg").write_bytes(small)
    assert redact(tmp_path / "a.jpg", tmp_path / name) == 0
    assert names(tmp_path) == ["a.jpg", name]


def test_a_pipe_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert redact(tmp_path / "pipe.mp4", tmp_path / "o.mp4") == 5
    assert "neither a file nor a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(
        tmp_path: Path, small: bytes, name: str, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    for work in ("plan", "process"):
        monkeypatch.setattr(f"aipg_plugin.guard.stream.StreamGuard.{work}", lambda *_, **__: pytest.fail("work began"))
    (tmp_path / "a.jpg").write_bytes(small)
    write_clip(tmp_path / "a.mp4", frames=1)
    assert redact(tmp_path / name, f"/proc/self/{name}") == 5
    told = capsys.readouterr().err
    assert f"cannot write /proc/self/{name}: " in told
    assert "Traceback" not in told


def test_a_name_that_starts_with_a_dash_is_no_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "x.mp4", frames=1).rename(tmp_path / "-v.mp4")
    monkeypatch.chdir(tmp_path)
    assert redact("-v.mp4", "-out.mp4") == 0
    assert names(tmp_path) == ["-out.mp4", "-v.mp4"]


@pytest.mark.parametrize("url", ["file://{path}", "file://localhost{path}", "FILE://{path}"])
def test_file_urls_are_understood(tmp_path: Path, url: str) -> None:
    clip = write_clip(tmp_path / "x.mp4", frames=2).rename(tmp_path / "a b%.mp4")
    quoted = url.format(path=str(clip).replace("%", "%25").replace(" ", "%20"))
    assert redact(quoted, tmp_path / "out.mp4") == 0
    assert names(tmp_path) == ["a b%.mp4", "out.mp4"]


def test_the_other_video_tracks_and_the_sound_left_out_are_named(tmp_path: Path,
                                                                 capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_tracks(tmp_path / "in.mkv", videos=(((160, 120), None), ((320, 240), None)), sounds=("aac",), frames=2)
    assert redact(clip, tmp_path / "out.mkv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == ["video track 2 (h264 320x240)", "audio (aac)"]
    assert redact(clip, tmp_path / "out.mkv") == 0
    assert "left out: video track 2 (h264 320x240), audio (aac)" in capsys.readouterr().out


def test_a_second_sound_track_is_never_dropped_unsaid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_tracks(tmp_path / "in.mkv", sounds=("aac", "aac"), frames=2)
    assert redact(clip, tmp_path / "out.mkv", "--audio", "pass") == 5
    assert "audio track 3 (aac) cannot be passed on" in capsys.readouterr().err
    assert names(tmp_path) == ["in.mkv"]


def test_what_a_cut_off_file_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write_clip(tmp_path / "in.mkv", frames=40).read_bytes()
    (tmp_path / "in.mkv").write_bytes(whole[:len(whole) * 2 // 3])
    assert redact(tmp_path / "in.mkv", tmp_path / "out.mkv") == 0
    assert "(the file says 1.6 s; it may be cut off)" in capsys.readouterr().out
    (tmp_path / "in.mkv").write_bytes(whole)
    assert redact(tmp_path / "in.mkv", tmp_path / "out.mkv") == 0
    assert "left out" not in capsys.readouterr().out


def test_every_page_of_a_picture_is_masked(tmp_path: Path, small: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    page = Image.fromarray(cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].copy())
    page.save(tmp_path / "in.tif", save_all=True, append_images=[page])
    assert redact(tmp_path / "in.tif", tmp_path / "out.tif", "--method", "filling", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["frames_in"] == report["frames_out"] == 2
    with Image.open(tmp_path / "out.tif") as out:
        assert out.n_frames == 2
        for number in range(2):
            out.seek(number)
            assert (np.asarray(out.convert("RGB")) != np.asarray(page)).any(axis=2).mean() > 0.01
    assert redact(tmp_path / "in.tif", tmp_path / "out.jpg") == 2
    assert "has 2 pages" in capsys.readouterr().err


def test_the_people_of_an_animation_are_counted_once(tmp_path: Path, small: bytes,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    page = Image.fromarray(cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].copy())
    counts = []
    forms: dict[str, dict[str, Any]] = {"a.png": {}, "a.tif": {"save_all": True, "append_images": [page]},
                          "a.webp": {"save_all": True, "append_images": [page.rotate(180)], "duration": 100}}
    for name, options in forms.items():
        page.save(tmp_path / name, **options)
        assert redact(tmp_path / name, tmp_path / f"out-{name}", "--json") == 0
        counts.append(json.loads(capsys.readouterr().out)["people"])
    one, document, animation = counts
    assert one > 0
    assert document == 2 * one
    assert 0 < animation < 1.4 * one


def test_what_is_not_done_of_a_folder_is_told_in_the_users_language(
        tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "empty.mp4").touch()
    monkeypatch.setenv("AIPG_LANGUAGE", "de")
    assert redact(tmp_path / "in", tmp_path / "out") == 1
    assert "cannot open" not in (said := capsys.readouterr().err)
    assert "kann nicht" in said or "lässt sich nicht" in said


def test_a_picture_cannot_be_masked_by_background_and_says_so(tmp_path: Path, small: bytes,
                                                              capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(small)
    assert redact(tmp_path / "a.jpg", tmp_path / "b.jpg", "--method", "background") == 2
    assert "a single picture does not show the empty scene" in capsys.readouterr().err
    assert names(tmp_path) == ["a.jpg"]


def test_a_picture_is_written_into_a_folder(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(small)
    (tmp_path / "out").mkdir()
    assert redact(tmp_path / "a.jpg", tmp_path / "out") == 0
    assert names(tmp_path / "out") == ["a.jpg"]


def test_a_link_to_the_input_does_not_lose_it(tmp_path: Path, small: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(small)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.jpg").symlink_to(tmp_path / "in" / "a.jpg")
    assert redact(tmp_path / "in", tmp_path / "out") == 1
    assert "would be lost" in capsys.readouterr().err
    assert (tmp_path / "in" / "a.jpg").read_bytes() == small


@pytest.mark.parametrize("out", ["file/out", "/proc/out"])
def test_a_folder_that_cannot_be_written_is_named_at_once(tmp_path: Path, small: bytes, out: str,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(small)
    assert redact(tmp_path / "in", tmp_path / out) == 5
    told = capsys.readouterr().err
    assert f"cannot write {tmp_path / out}" in told
    assert "a.jpg" not in told


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_redact_that_is_ended_leaves_nothing(tmp_path: Path, signum: signal.Signals) -> None:
    (tmp_path / "out").mkdir()
    process = subprocess.Popen([sys.executable, "-m", "aipg_plugin", "redact", str(CLIP),
                                str(tmp_path / "out" / "o.mp4"), "--quiet"], stderr=subprocess.PIPE, text=True)
    until_s = time.monotonic() + 60
    partial = tmp_path / "out" / ".o.partial.mp4"
    while not partial.exists() and process.poll() is None and time.monotonic() < until_s:
        time.sleep(0.01)
    process.send_signal(signum)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signum, told
    assert names(tmp_path / "out") == []
    assert "Traceback" not in told


def test_detect_prints_a_figure_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["detect", str(STILL)]) == 0
    compact = capsys.readouterr().out
    assert main(["detect", str(STILL), "--pretty"]) == 0
    pretty = capsys.readouterr().out
    found = json.loads(compact)
    assert found == json.loads(pretty)
    assert len(compact.splitlines()) == 1 + len(found["figures"])
    assert len(pretty.splitlines()) > 100
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes())
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "c.txt").write_text("")
    assert main(["detect", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert [row["size_wh"] for row in json.loads(told.out)] == [[64, 64]]
    assert "b.png: not done" in told.err
