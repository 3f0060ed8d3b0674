"""The acceptance scripts in stand-ins for Frigate and Viseron, made from the formats those document.

A stand-in reads its NVR's configuration where the NVR reads it, and records its camera by stream copy to where the NVR
records. It shows that the scripts find their way, and that a recording in clear is found out; not that the NVRs work.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import CHECKOUT

FRIGATE = '''
import http.server, json, os, pathlib, subprocess, threading, yaml, zmq
config = yaml.safe_load(open(os.environ["CONFIG_FILE"]))
camera = config["cameras"]["lobby"]
assert camera["record"]["enabled"] and camera["detect"]["enabled"] and config["model"]["path"]
url = SOURCE or next(each["path"] for each in camera["ffmpeg"]["inputs"] if "record" in each["roles"])
folder = pathlib.Path("/media/frigate/recordings/2026-01-01/00/lobby")
folder.mkdir(parents=True)
socket = zmq.Context().socket(zmq.REQ)
socket.connect(config["detectors"]["aipg"]["endpoint"])
size = config["model"]["height"], config["model"]["width"]
socket.send_multipart([json.dumps({"shape": [1, *size, 3], "dtype": "uint8", "model_type": "ssd"}).encode(),
                       bytes(size[0] * size[1] * 3)])
answered = bool(socket.recv_multipart())
class Stats(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({"detectors": {"aipg": {"inference_speed": 9.0 * answered}}}).encode())
    def log_message(self, *_): pass
threading.Thread(target=http.server.HTTPServer(("127.0.0.1", 5001), Stats).serve_forever, daemon=True).start()
subprocess.run(["ffmpeg", "-v", "error", "-i", url, "-c", "copy", "-f", "segment", "-segment_time", "2",
                "-segment_format_options", "movflags=frag_keyframe+empty_moov", str(folder / "%02d.00.mp4")])
'''

VISERON = '''
import os, pathlib, subprocess, sys, yaml
from viseron.components import aipg
config = aipg.CONFIG_SCHEMA(yaml.safe_load(open(os.environ["VISERON_CONFIG_DIR"] + "/config.yaml")))
camera = config["ffmpeg"]["camera"]["lobby_1"]
if aipg.GuardedCameras(config["aipg"]).guarded.camera_faults("lobby_1", camera):
    sys.exit("the component has stopped it")
folder = pathlib.Path("/segments/lobby_1")
folder.mkdir(exist_ok=True)
subprocess.run(["ffmpeg", "-v", "error", "-i", f"rtsp://{camera['host']}:{camera['port']}{camera['path']}",
                "-c", "copy", "-f", "segment", "-segment_time", "2", "-segment_format_options",
                "movflags=frag_keyframe+empty_moov", str(folder / "%02d.mp4")])
'''


@pytest.mark.timeout(400)
def test_viserons_script_accepts_what_is_masked_and_stops_the_raw_camera(tmp_path: Path) -> None:
    (tmp_path / "viseron" / "components").mkdir(parents=True)
    (tmp_path / "viseron" / "components" / "__init__.py").write_text("")
    done = run(tmp_path, "viseron", VISERON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok it stops with the raw camera" in done.stdout
    assert done.stdout.splitlines()[-1] == "accepted"


@pytest.mark.timeout(400)
def test_frigates_script_accepts_what_is_masked(tmp_path: Path) -> None:
    done = run(tmp_path, "frigate", f"SOURCE = ''\n{FRIGATE}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "accepted"


@pytest.mark.timeout(400)
def test_frigates_script_finds_a_clear_recording(tmp_path: Path) -> None:
    clear = FRIGATE.replace('"-i", url', '"-re", "-stream_loop", "-1", "-i", url')
    done = run(tmp_path, "frigate", f"SOURCE = {str(CHECKOUT / 'samples' / 'lobby.mp4')!r}\n{clear}")
    assert done.returncode == 1, done.stdout
    assert "of the people's pixels are clear" in done.stderr


def run(folder: Path, name: str, program: str) -> subprocess.CompletedProcess[str]:
    if not os.environ.get("AIPG_TEST_ACCEPTANCE"):
        pytest.skip("takes minutes: set AIPG_TEST_ACCEPTANCE=1")
    if os.getuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs root, and a system that lets it make mount namespaces")
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "__init__.py").write_text("")
    (folder / name / "__main__.py").write_text(program)
    environment = {**os.environ, "AIPG_VENV": sys.prefix}
    script = CHECKOUT / "tests" / "hosts" / f"run_in_{name}.sh"
    return subprocess.run([str(script), str(folder), "--python", sys.executable],
                          capture_output=True, text=True, timeout=380, check=False, env=environment)
