"""The tracks of a file: the video is the video, sound is carried or refused, and what is left out is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from aipg_plugin.errors import MediaError
from aipg_plugin.frames import Frame
from aipg_plugin.media.filesink import FileSink
from aipg_plugin.media.info import AudioPacket
from aipg_plugin.media.sink import open_sink
from aipg_plugin.media.source import open_source
from aipg_plugin.options import Audio, Output, OutputKind, Source
from tests.media.clips import as_guarded, numbered, picture_of

RATE_HZ = 8000


def write(path: Path, *, videos: tuple[tuple[tuple[int, int], Disposition | None], ...] = (((160, 120), None),),
          sounds: tuple[str, ...] = (), frames: int = 10, start_s: float = 0.0, sound_start_s: float = 0.0,
          rate_hz: int = RATE_HZ) -> Path:
    """A file of several video tracks (size and disposition) and sound tracks (codecs), ten frames a second."""
    with av.open(str(path), "w") as box:
        tracks = []
        for size_wh, disposition in videos:
            cover = disposition is not None and disposition & Disposition.attached_pic
            video: Any = box.add_stream("mjpeg" if cover else "libx264", rate=10)
            video.width, video.height = size_wh
            video.pix_fmt = "yuvj420p" if cover else "yuv420p"
            if disposition is not None:
                video.disposition = disposition
            tracks.append((video, 1 if cover else frames))
        audio: list[Any] = [box.add_stream(codec, rate=rate_hz, layout="mono") for codec in sounds]
        for video, count in tracks:
            for number in range(count):
                picture = picture_of(numbered(number, (video.width, video.height)), video.pix_fmt)
                picture.pts, picture.time_base = number + round(start_s * 10), Fraction(1, 10)
                box.mux(video.encode(picture))
            box.mux(video.encode(None))
        for track in audio:
            write_sound(box, track, frames / 10, sound_start_s, rate_hz)
    return path


def write_sound(box: Any, track: Any, seconds: float, start_s: float, rate_hz: int) -> None:
    format_ = track.codec_context.format.name
    for start in range(0, int(rate_hz * seconds), 160):
        wave = np.sin(2 * np.pi * 440 * np.arange(start, start + 160) / rate_hz)
        chunk = av.AudioFrame.from_ndarray((wave * 20_000).astype(np.int16)[None], format="s16", layout="mono")
        chunk.sample_rate, chunk.pts = rate_hz, start + round(start_s * rate_hz)
        chunk.time_base = Fraction(1, rate_hz)
        if format_ in {"flt", "fltp"}:
            chunk = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), format=format_, layout="mono")
            chunk.sample_rate, chunk.pts = rate_hz, start + round(start_s * rate_hz)
            chunk.time_base = Fraction(1, rate_hz)
        box.mux(track.encode(chunk))
    box.mux(track.encode(None))


def through(source: Path, target: Path, audio: Audio = Audio.PASS, preset: str = "ultrafast") -> None:
    with open_source(Source(str(source)), "1") as frames:
        sink = open_sink(Output(OutputKind.FILE, str(target), preset=preset, audio=audio), frames.info, name="a/1")
        frames.on_audio = sink.write_audio if audio is Audio.PASS else None
        for frame in frames:
            assert isinstance(frame, Frame)
            sink.write(as_guarded(frame))
        sink.close()


def span_s(path: Path, kind: str) -> tuple[float, float]:
    """First and last time of a track's packets."""
    with av.open(str(path)) as box:
        times = [float(p.pts * p.time_base) for p in box.demux(**{kind: 0}) if p.pts is not None and p.size]
    return min(times), max(times)


def heard_hz(path: Path) -> float:
    """The tone a file plays, in its middle."""
    with av.open(str(path)) as box:
        wave = np.concatenate([f.to_ndarray()[0].astype(float) for f in box.decode(audio=0)])
        rate = box.streams.audio[0].codec_context.sample_rate
    middle = wave[len(wave) // 4:3 * len(wave) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(np.argmax(spectrum) * rate / len(middle))


def test_a_cover_picture_is_not_the_video_and_is_named(tmp_path: Path) -> None:
    clip = write(tmp_path / "in.mp4", videos=(((64, 64), Disposition.attached_pic), ((160, 120), Disposition.default)))
    with open_source(Source(str(clip)), "1") as source:
        assert source.info.size_wh == (160, 120)
        assert len(list(source)) == 10
        assert len(source.info.left_out) == 1
        assert source.info.left_out[0].startswith("cover picture track")
        assert source.info.left_out[0].endswith("(mjpeg 64x64)")


def test_a_song_with_a_cover_is_no_video(tmp_path: Path) -> None:
    song = write(tmp_path / "in.mp4", videos=(((64, 64), Disposition.attached_pic),), sounds=("aac",))
    with pytest.raises(MediaError, match="it has no video"):
        open_source(Source(str(song)), "1")


@pytest.mark.parametrize(("default", "size_wh", "left_out"), [
    (0, (160, 120), ("video track 2 (h264 320x240)",)), (1, (320, 240), ("video track 1 (h264 160x120)",))])
def test_of_several_videos_the_default_is_taken_and_the_other_named(
        tmp_path: Path, default: int, size_wh: tuple[int, int], left_out: tuple[str, ...]) -> None:
    flags = [Disposition.default if index == default else Disposition.dub for index in range(2)]
    clip = write(tmp_path / "in.mkv", videos=(((160, 120), flags[0]), ((320, 240), flags[1])))
    with open_source(Source(str(clip)), "1") as source:
        assert source.info.size_wh == size_wh
        assert source.info.left_out == left_out


@pytest.mark.parametrize("codec", ["pcm_alaw", "pcm_mulaw", "pcm_s16le"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts"])
def test_sound_as_cameras_send_it_is_carried_everywhere(tmp_path: Path, codec: str, suffix: str) -> None:
    through(write(tmp_path / "in.mov", sounds=(codec,), frames=20), tmp_path / f"out{suffix}")
    first_s, last_s = span_s(tmp_path / f"out{suffix}", "audio")
    assert last_s - first_s > 1.7
    assert heard_hz(tmp_path / f"out{suffix}") == pytest.approx(440, abs=5)


@pytest.mark.parametrize(("codec", "rate_hz"), [("mp3", 8000), ("mp3", 16000), ("ac3", 48000), ("eac3", 48000)])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".ts"])
def test_sound_of_films_and_recorders_is_carried_everywhere(tmp_path: Path, codec: str, rate_hz: int,
                                                            suffix: str) -> None:
    clip = write(tmp_path / "in.mkv", sounds=(codec,), frames=20, rate_hz=rate_hz)
    with open_source(Source(str(clip)), "1") as source:  # as before the first pass over a file: no packet is written
        FileSink(Output(OutputKind.FILE, str(tmp_path / f"none{suffix}"), audio=Audio.PASS), source.info).close()
    through(clip, tmp_path / f"out{suffix}")
    assert heard_hz(tmp_path / f"out{suffix}") == pytest.approx(440, abs=5)


def test_a_container_that_takes_other_rates_only_is_named(tmp_path: Path) -> None:
    clip = write(tmp_path / "in.mkv", sounds=("mp3",), rate_hz=16000)
    with pytest.raises(MediaError, match=r"\.flv files cannot carry mp3 audio"):
        through(clip, tmp_path / "out.flv")


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_aac_from_a_transport_stream_is_carried(tmp_path: Path, suffix: str) -> None:
    through(write(tmp_path / "in.ts", sounds=("aac",), frames=20), tmp_path / f"out{suffix}")
    assert heard_hz(tmp_path / f"out{suffix}") == pytest.approx(440, abs=5)


def test_sound_a_container_cannot_carry_is_an_error_for_files(tmp_path: Path) -> None:
    clip = write(tmp_path / "in.mov", sounds=("pcm_alaw",))
    with pytest.raises(MediaError, match=r"\.avi files cannot carry aac audio"):
        through(clip, tmp_path / "out.avi")


def test_what_is_dropped_is_dropped(tmp_path: Path) -> None:
    through(write(tmp_path / "in.mov", sounds=("pcm_alaw",)), tmp_path / "out.mkv", Audio.DROP)
    with av.open(str(tmp_path / "out.mkv")) as box:
        assert not box.streams.audio


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("audio", list(Audio))
def test_a_file_whose_clock_starts_late_starts_at_zero_and_keeps_its_length(tmp_path: Path, suffix: str,
                                                                            audio: Audio) -> None:
    clip = write(tmp_path / "in.ts", sounds=("aac",), frames=20, start_s=7200, sound_start_s=7200)
    through(clip, tmp_path / f"out{suffix}", audio)
    first_s, last_s = span_s(tmp_path / f"out{suffix}", "video")
    assert first_s == pytest.approx(0, abs=0.15)
    assert last_s - first_s == pytest.approx(1.9, abs=0.02)
    if audio is Audio.PASS:
        assert span_s(tmp_path / f"out{suffix}", "audio")[0] == pytest.approx(0, abs=0.15)


def test_sound_stays_with_the_picture_when_it_begins_first(tmp_path: Path) -> None:
    clip = write(tmp_path / "in.mkv", sounds=("aac",), frames=20, start_s=10.5, sound_start_s=10)
    through(clip, tmp_path / "out.mkv")
    assert span_s(tmp_path / "out.mkv", "video")[0] == pytest.approx(0.5, abs=0.15)
    assert span_s(tmp_path / "out.mkv", "audio")[0] == pytest.approx(0.0, abs=0.15)


def test_no_packet_is_handed_on_to_nobody(tmp_path: Path) -> None:
    heard: list[AudioPacket] = []
    with open_source(Source(str(write(tmp_path / "in.mov", sounds=("pcm_alaw",)))), "1") as source:
        source.on_audio = heard.append
        list(source)
    assert sum(packet.duration_s for packet in heard) == pytest.approx(1.0, abs=0.3)
