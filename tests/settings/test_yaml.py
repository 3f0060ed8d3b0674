"""YAML files: line numbers, and text that is broken or hostile."""

import os
from pathlib import Path

import pytest

from aipg_plugin.errors import SettingsError
from aipg_plugin.settings import load

GOOD = """\
# a comment
cameras:
  lobby:
    streams:
      1: {source: clip.mp4, outputs: [http]}
    privacy_guard:
      enabled: on
      target_streams: all
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "aipg.yaml"


def problems(file: Path, text: str | bytes) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        load(file, environ={})
    return str(caught.value)


def test_a_good_file(file: Path) -> None:
    file.write_text(GOOD)
    loaded = load(file)
    assert loaded.path == file
    assert loaded.warnings == ()
    assert loaded.settings.cameras[0].privacy_guard.target_streams == ("1",)
    assert loaded.document["cameras"]["lobby"]["privacy_guard"]["enabled"] is not None


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "{}", "\ufeffinstance_id: x\n", "instance_id: x\r\n"])
def test_small_files(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8", newline="")
    assert load(file).warnings[0].path == "cameras"


def test_off_and_on_are_what_the_reference_means(file: Path) -> None:
    file.write_text(GOOD.replace("all", "off").replace("enabled: on", "enabled: Yes"))
    guard = load(file).settings.cameras[0].privacy_guard
    assert (guard.enabled, guard.target_streams) == (True, ())


def test_lines(file: Path) -> None:
    text = GOOD + "      prohibited_areas:\n        - rectangle: [0, 0, 1, 1]\n        - rectangle: [0, 0, 2, 1]\n"
    report = problems(file, text + "web:\n  host: 0.0.0.0\n").splitlines()
    assert report[0].startswith("cameras.lobby.privacy_guard.prohibited_areas.1.rectangle.2: 2 is not in 0–1 (line 11)")
    assert report[1].startswith("web.username: is missing: 0.0.0.0 is open to the network")
    assert "(line 12)" in report[1]


def test_duplicate_keys(file: Path) -> None:
    report = problems(file, GOOD + "      enabled: off\n")
    assert "there twice" in report
    assert "(line 9)" in report
    assert "enabled" in report


def test_tabs(file: Path) -> None:
    report = problems(file, "cameras:\n\tlobby: 1\n")
    assert "(line 2)" in report
    assert "Indent with spaces" in report


def test_unquoted_variable_in_braces(file: Path) -> None:
    assert '"${VARIABLE}" in quotes' in problems(file, "mqtt: {password: ${PASSWORD}}\n")


def test_unset_variable(file: Path) -> None:
    report = problems(file, "mqtt:\n  broker: b\n  username: u\n  password: ${PASSWORD}\n")
    assert report == ("mqtt.password: the environment variable PASSWORD is not set (line 4). "
                      "Set it, or write ${PASSWORD:-default}")


def test_billion_laughs(file: Path) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 10)]
    assert "unfolds to more than" in problems(file, "\n".join(rows))


def test_alias_of_itself(file: Path) -> None:
    assert problems(file, "cameras: &a\n  x: *a\n")
    assert problems(file, "cameras: &a\n  x: [*a]\n  y: &b [[*b]]\n")


@pytest.mark.parametrize("bracket", ["[", "{a: "])
def test_thousands_of_brackets(file: Path, bracket: str) -> None:
    assert f"{file}: is nested too deeply" in problems(file, "cameras: " + bracket * 50_000)


def test_thousands_of_dashes(file: Path) -> None:
    assert str(file) in problems(file, "cameras:\n  " + "- " * 1_000)


@pytest.mark.parametrize(("text", "says"), [
    (b"\xff\xfe\x00", "is not UTF-8 text"),
    (b"instance_id: a\nname: caf\xe9\n", "(line 2)"),
    ("x" * 10_000_000, "is larger than"),
    ("- a\n- b\n", "is not a table of settings"),
    ("just words", "is not a table of settings"),
    ("a: [1, 2", "not valid YAML"),
    ("a: b: c", "not valid YAML"),
    ("a: 1\n---\nb: 2\n", "not valid YAML"),
    ("instance_id: *nobody", "not valid YAML"),
    ("instance_id: \x00", "not valid YAML"),
    ("a: \u2028\x85\n\u2028 b: [", "not valid YAML"),
    ("? [1, 2]\n: 3\n", "unknown setting"),
    ("instance_id: !!python/object/apply:os.system ['true']", ""),
    ("instance_id: !secret x", "tag"),
    ("instance_id: 2001-02-30", ""),
    ("instance_id: !!binary aGk=", "")])
def test_broken_and_hostile(file: Path, text: str | bytes, says: str) -> None:
    report = problems(file, text)
    assert says in report
    assert len(report) < 1000


def test_dates_are_text(file: Path) -> None:
    file.write_text("instance_id: 2001-02-28\n")
    assert load(file).settings.instance_id == "2001-02-28"


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_unreadable(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / name)


def test_anchors_and_merges(file: Path) -> None:
    file.write_text("""\
cameras:
  a: &base
    camera_height: 3.5
    streams: {1: {source: a.mp4}}
  b:
    <<: *base
    mount: wall
""")
    first, second = load(file).settings.cameras
    assert (first.camera_height_m, second.camera_height_m) == (3.5, 3.5)
    assert (first.mount, second.mount) == ("ceiling", "wall")


SECRET = "kite-harbour-41-lamp"


@pytest.mark.parametrize("text", [
    f"mqtt:\n  password: {SECRET}\n  password: other-{SECRET}\n", f"mqtt: {{password: *{SECRET}}}\n",
    f"mqtt: {{password: !{SECRET} x}}\n", f'mqtt: {{password: "\\q{SECRET}"}}\n', f"mqtt: {{password: &{SECRET} &x}}\n",
    f"mqtt:\n  password: @{SECRET}\n", f"mqtt:\n  password: %{SECRET}\n", f"mqtt:\n  password: '{SECRET}\n",
    f"mqtt:\n  password: {SECRET}: {SECRET}\n", f"mqtt:\n  password: !!int {SECRET}\n", f"{SECRET}\n",
    f"mqtt:\n  password: !!timestamp {SECRET}\n", f"mqtt:\n  password: [{SECRET}\n"])
def test_broken_yaml_prints_no_value(file: Path, text: str) -> None:
    report = problems(file, text)
    assert SECRET not in report
    assert "kite" not in report


def test_a_key_that_is_there_twice_is_named_with_its_line(file: Path) -> None:
    report = problems(file, "mqtt:\n  username: a\n  password: b\n  password: c\n")
    assert report == f"{file}: the setting password is there twice (line 4). Keep one of them"


@pytest.mark.parametrize("text", ["#" * 1_000_000, "#\n" * 500_000, "a: [" + "1," * 100_000])
@pytest.mark.timeout(30)
def test_huge_files_are_refused_soon(file: Path, text: str) -> None:
    report = problems(file, text)
    assert "is larger than" in report or "more than" in report


@pytest.mark.timeout(10)
def test_what_is_no_regular_file_is_refused(file: Path) -> None:
    os.mkfifo(file)
    for special in (file, file.parent, Path("/dev/zero"), Path("/dev/tty0"), Path("/dev/null")):
        with pytest.raises(SettingsError, match=r"is not a regular file|cannot be read"):
            load(special, environ={})
