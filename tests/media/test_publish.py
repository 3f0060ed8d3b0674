"""Publishing to a real RTSP server that dies and comes back, while the guard goes on."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from aipg_plugin.options import Output, OutputKind
from tests.media.clips import read_clip
from tests.media.test_serving import Feeder
from tests.servers import SilentServer, free_port, rtsp_recorder, wait_for

OUTPUT = Output(OutputKind.RTSP_PUBLISH, preset="ultrafast", gop_s=1.0)


def test_a_server_that_dies_and_returns_gets_the_stream_again(tmp_path: Path) -> None:
    port = free_port()
    feeding = Feeder(None, (replace(OUTPUT, target=f"rtsp://127.0.0.1:{port}/camera"),))
    (publisher,) = feeding.sink.publishers
    wait_for(lambda: feeding.number > 10)
    assert not publisher.connected
    for attempt, name in enumerate(("first.ts", "second.ts"), 1):
        with rtsp_recorder(tmp_path / name, port) as server:
            wait_for(lambda attempt=attempt: publisher.connects == attempt, 20, "publishing")  # type: ignore[misc]
            path = tmp_path / name
            wait_for(lambda path=path: path.exists() and path.stat().st_size > 12_000, 15)  # type: ignore[misc]
            server.kill()
        wait_for(lambda: not publisher.connected, 10, "the loss being noticed")
        assert publisher.reason
        numbers, _ = read_clip(tmp_path / name, cut_off=True)
        assert len(numbers) > 5
        assert all((later - earlier) % 256 == 1 for earlier, later in pairwise(numbers))
    assert feeding.slowest_s < 0.5
    feeding.close()


@pytest.mark.parametrize("scheme", ["--digest", "--basic"])
def test_user_name_and_password_are_given_and_never_shown(tmp_path: Path, scheme: str,
                                                          caplog: pytest.LogCaptureFixture) -> None:
    port, secret = free_port(), "s3cret:word"
    with rtsp_recorder(tmp_path / "out.ts", port, scheme, "me", secret):
        right = Feeder(None, (replace(OUTPUT, target=f"rtsp://me:s3cret%3Aword@127.0.0.1:{port}/camera"),))
        wait_for(lambda: right.sink.publishers[0].connects == 1, 10, "publishing")
        right.close()
        wrong = Feeder(None, (replace(OUTPUT, target=f"rtsp://me:wr0ng@127.0.0.1:{port}/camera"),))
        wait_for(lambda: "401" in wrong.sink.publishers[0].reason, 10, "the refusal")
        wrong.close()
    shown = caplog.text + wrong.sink.publishers[0].reason
    assert "wr0ng" not in shown
    assert "s3cret" not in shown
    assert "rtsp://***@127.0.0.1" in shown


def test_a_server_that_says_nothing_holds_nobody_up() -> None:
    silent = SilentServer()
    feeding = Feeder(None, (replace(OUTPUT, target=f"rtsp://127.0.0.1:{silent.port}/camera"),))
    wait_for(lambda: feeding.number > 40, 10)
    assert feeding.slowest_s < 0.5
    silent.close()
    feeding.close()
