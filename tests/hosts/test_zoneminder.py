"""ZoneMinder with MariaDB as Debian ships them: the printed SQL makes a monitor, which records the guarded stream."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aipg_plugin.cli.main import main
from tests import needs
from tests.hosts.guarding import MASKED, Guard, Interrupted, assert_recorded_masked, filled_px, recorded_frames
from tests.hosts.walk import FPS, SIDE_PX, clear_share, frames_of, write_walk
from tests.servers import Process, wait_for

SCHEMA = Path("/usr/share/zoneminder/db/zm_create.sql")
pytestmark = pytest.mark.timeout(200)


class Database:
    """MariaDB in a folder, on a socket, with ZoneMinder's tables."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "db.sock"
        data, user = folder / "db", f"--user={'root' if os.getuid() == 0 else os.getlogin()}"
        subprocess.run([needs.need("mariadb-install-db"), "--no-defaults", "--auth-root-authentication-method=normal",
                        user, f"--datadir={data}", "--skip-test-db"], check=True, capture_output=True, timeout=120)
        self._server = Process([needs.need("mariadbd"), "--no-defaults", user, f"--datadir={data}",
                                f"--socket={self.socket}", "--skip-networking",
                                "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin"])
        wait_for(lambda: self._answers() or not self._server.running, 60, "MariaDB")
        self.run(SCHEMA.read_text(), database="")

    def _answers(self) -> bool:
        return self._client("", "SELECT 1").returncode == 0

    def _client(self, database: str, sql: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([needs.need("mariadb"), "--no-defaults", f"--socket={self.socket}", "--user=root", "-N",
                               *([database] if database else [])], input=sql, capture_output=True, text=True,
                              timeout=120, check=False)

    def run(self, sql: str, database: str = "zm") -> list[list[str]]:
        """Rows of a script; fails the test with what the client says."""
        done = self._client(database, sql)
        assert done.returncode == 0, done.stderr
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self) -> None:
        self._server.stop()


class ZoneMinder:
    """Its capture daemon on a folder of its own.

    The daemon reads /etc/zm and nothing else; a copy whose two paths are relative leaves an installation alone.
    """

    def __init__(self, folder: Path, database: Database) -> None:
        program = Path(needs.need("zmc")).read_bytes()
        for path in (b"/etc/zm/zm.conf", b"/etc/zm/conf.d"):
            assert program.count(path) == 1
            program = program.replace(path, b"././././" + path.removeprefix(b"/etc/zm/"))
        self._zmc, self.events = folder / "zmc", folder / "events"
        self._zmc.write_bytes(program)
        self._zmc.chmod(0o755)
        for name in ("events", "map", "socks", "logs", "swap", "conf.d"):
            (folder / name).mkdir()
        (folder / "zm.conf").write_text(
            f"ZM_DB_TYPE=mysql\nZM_DB_HOST=localhost:{database.socket}\nZM_DB_NAME=zm\nZM_DB_USER=root\nZM_DB_PASS=\n"
            f"ZM_DIR_EVENTS={self.events}\nZM_PATH_MAP={folder}/map\nZM_PATH_SOCKS={folder}/socks\n"
            f"ZM_PATH_LOGS={folder}/logs\nZM_PATH_SWAP={folder}/swap\n")
        database.run(f"UPDATE Storage SET Path='{self.events}'")
        self._folder = folder

    def capturing(self, monitor: str) -> Process:
        return Process(["sh", "-c", 'cd "$1" && exec ./zmc -m "$2"', "sh", str(self._folder), monitor])

    def recordings(self) -> list[Path]:
        return sorted(self.events.rglob("*.mp4"))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    if not SCHEMA.exists():
        needs.missing("needs ZoneMinder's database schema")
    running = Database(tmp_path_factory.mktemp("maria"))
    yield running
    running.stop()


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path fits ZoneMinder's column of 64 characters."""
    with tempfile.TemporaryDirectory(prefix="zm-") as folder:
        yield Path(folder)


def test_the_printed_sql_makes_a_monitor_that_records_masked(database: Database, short: Path, tmp_path: Path,
                                                             capsys: pytest.CaptureFixture[str]) -> None:
    """The scene is cut to another every few seconds, and the camera goes away and comes back within two."""
    zoneminder = ZoneMinder(short, database)
    with Interrupted(tmp_path) as camera:
        assert main(["nvr", "zoneminder", str(camera.guard.config)]) == 0
        printed = capsys.readouterr().out
        assert f"Capture Resolution  {SIDE_PX} x {SIDE_PX}" in printed
        database.run(printed)
        [row] = database.run("SELECT Id, Name, Type, `Function`, Path, Method, Width, Height, VideoWriter,"
                             " SaveJPEGs, (SELECT COUNT(*) FROM Zones WHERE MonitorId=Monitors.Id) FROM Monitors")
        assert row[1:] == ["lobby-1", "Ffmpeg", "Record", camera.guard.rtsp, "rtpRtsp", str(SIDE_PX), str(SIDE_PX), "2",
                           "0", "1"]
        with zoneminder.capturing(row[0]) as zmc:
            assert_recorded_masked(camera, zmc, zoneminder.recordings)


def test_what_has_no_rtsp_is_recorded_too(database: Database, short: Path, tmp_path: Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    """Its passthrough writes no video of MPEG-TS over HTTP, so the SQL has it encode."""
    zoneminder = ZoneMinder(short, database)
    copy = {"kind": "file", "target": str(tmp_path / "copy.mkv"), "preset": "ultrafast"}  # counts what is served
    source = {"url": str(write_walk(tmp_path / "walk.mp4")), "loop": True}
    with Guard(tmp_path, source, outputs=["http", copy]) as guard:
        assert main(["nvr", "zoneminder", str(guard.config)]) == 0
        database.run(capsys.readouterr().out)
        [row] = database.run("SELECT Id, Path FROM Monitors ORDER BY Id DESC LIMIT 1")
        assert row[1] == f"{guard.http}.ts"
        with zoneminder.capturing(row[0]) as zmc:
            wait_for(lambda: zoneminder.recordings() or not zmc.running, 60, "a recording")
            served = recorded_frames(tmp_path / "copy.mkv")
            wait_for(lambda: recorded_frames(tmp_path / "copy.mkv") > served + 4 * FPS, 60, "frames served")
            assert zmc.running, zmc.output()
        frames = [bgr for path in zoneminder.recordings() for bgr in frames_of(path)]
        assert max(map(clear_share, frames)) < MASKED
        assert max(map(filled_px, frames)) > 1000
