"""Two streams, settings that change all the while, a slow detector: no clear frame in any interleaving."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

from aipg_plugin.frames import Frame, GuardedFrame
from aipg_plugin.guard.observer import Arrival, Known
from aipg_plugin.guard.service import DetectionService
from aipg_plugin.options import MaskingMethod, Sensitivity, Source, Stream
from tests.guard.scenes import camera, clear_share, frame, guard


def test_settings_may_change_under_running_streams() -> None:
    settings = camera(target_streams=("1", "2"), lookahead_s=0.05)
    settings = replace(settings, streams=(*settings.streams, Stream("2", Source("none"))))
    subject = guard(settings, lambda look: time.sleep(0.01), live=True)
    stop = threading.Event()
    leaked: list[str] = []
    errors: list[BaseException] = []

    def stream(stream_id: str, side_px: int) -> None:
        picture = frame(0, size_wh=(side_px, side_px), stream=stream_id)
        try:
            while not stop.is_set():
                check(subject.process(replace(picture, wall_time_s=time.time())), picture)
                time.sleep(0.004)
        except BaseException as error:
            errors.append(error)

    def check(out: list[GuardedFrame], picture: Frame) -> None:
        for guarded in out:
            if clear_share(guarded, picture) > 0.15:
                leaked.append(f"{guarded.stream} {guarded.state} {guarded.reason}")

    threads = [threading.Thread(target=stream, args=arguments) for arguments in (("1", 320), ("2", 160))]
    for thread in threads:
        thread.start()
    rng = random.Random(3)
    until_s = time.monotonic() + 4
    while time.monotonic() < until_s:
        changed = replace(settings.privacy_guard, masking_method=rng.choice(list(MaskingMethod)),
                          sensitivity=rng.choice(list(Sensitivity)), detect_hz=rng.choice([2.0, 5.0, 30.0]),
                          lookahead_s=rng.choice([0.0, 0.05, 0.2]))
        lens = replace(settings.lens, fov_deg=rng.choice([180.0, 180.0, 180.0, 190.0]))
        subject.configure(replace(settings, privacy_guard=changed, lens=lens,
                                  camera_height_m=rng.choice([3.0, 3.0, 3.0, 3.5])))
        time.sleep(rng.uniform(0.0, 0.12))
    stop.set()
    for thread in threads:
        thread.join(5)
    stats = subject.stats()
    subject.close()
    assert not errors
    assert not leaked, leaked[:5]
    assert all(one.faults == 0 for one in stats.values()), stats
    assert all(one.frames_out > one.full_mosaic_frames for one in stats.values())


def test_a_frame_on_its_way_when_a_camera_is_closed_leaves_no_seat_in_the_service() -> None:
    service = DetectionService(1)
    subject = guard(camera(), live=True, make_worker=service.worker)
    observer, stream = subject._observer, subject.stream("1")
    arrival = stream._intake(frame(0))
    opened = observer._open

    def closed_just_before(one: Arrival) -> Known | None:
        subject.close()
        return opened(one)

    observer._open = closed_just_before  # type: ignore[assignment, method-assign]
    observer.observe(arrival)
    assert observer.known() is None
    assert service.load().cameras == 0
    service.close()
