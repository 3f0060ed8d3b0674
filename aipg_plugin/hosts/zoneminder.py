"""ZoneMinder keeps its monitors in a database: what to fill in on its pages, and SQL that does it."""

from __future__ import annotations

import av

from aipg_plugin.hosts.guarded_urls import GuardedUrls

_TIMEOUT_S = 5.0
_HEAD = """-- ZoneMinder: one monitor for each guarded stream, and none for the raw camera. Either fill in what the
-- comments say (Console, Add), or let this SQL do it (ZoneMinder 1.36 and newer), then restart ZoneMinder:
--   aipg nvr zoneminder CONFIG --host ADDRESS | mysql zm && systemctl restart zoneminder
"""
# 1.36 says what a monitor does in Function; newer versions have Recording, whose default is Always.
_RECORD = """SET @aipg_record = IF((SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
  AND table_name = 'Monitors' AND column_name = 'Function') > 0,
  "UPDATE `Monitors` SET `Function` = 'Record' WHERE `Id` = @aipg_monitor", "DO 0");
PREPARE aipg_record FROM @aipg_record;
"""


def snippet(urls: list[GuardedUrls]) -> str:
    """Comments and SQL for every guarded stream; no SQL for those whose `size_wh` is not known."""
    return _HEAD + _RECORD + "".join(map(_monitor, urls)) + "DEALLOCATE PREPARE aipg_record;\n"


def _monitor(url: GuardedUrls) -> str:
    name = f"{url.camera}-{url.stream}"
    size = f"{url.size_wh[0]} x {url.size_wh[1]}" if url.size_wh else (
        "not known: start `aipg run` and print this again, or give --size; no SQL without it")
    lines = [f"-- Monitor {name}", "--   General:  Source Type         Ffmpeg",
             "--             Function            Record", f"--   Source:   Source Path         {url.video}"]
    lines += ["--             Method              TCP"] if url.rtsp else []
    lines += [f"--             Capture Resolution  {size}",
              "--   Storage:  Save JPEGs          Disabled",
              f"--             Video Writer        {'Camera Passthrough' if url.rtsp else 'Encode'}"]
    if not url.rtsp:
        lines += ["--   Its passthrough writes no video of MPEG-TS over HTTP; of an output of kind rtsp_serve it does."]
    return "\n".join(lines) + "\n" + (_sql(name, url, url.size_wh) if url.size_wh else "")


def _sql(name: str, url: GuardedUrls, size_wh: tuple[int, int]) -> str:
    w, h = size_wh
    method = "rtpRtsp" if url.rtsp else ""  # RTP inside the RTSP connection
    corners = f"0,0 {w - 1},0 {w - 1},{h - 1} 0,{h - 1}"
    return f"""INSERT INTO `Monitors` (`Name`, `Type`, `Path`, `Method`, `Width`, `Height`, `Colours`, `SaveJPEGs`,
  `VideoWriter`)
  VALUES ({_text(name)}, 'Ffmpeg', {_text(url.video)}, '{method}', {w}, {h}, 4, 0, {2 if url.rtsp else 1});
SET @aipg_monitor = LAST_INSERT_ID();
EXECUTE aipg_record;
INSERT INTO `Zones` (`MonitorId`, `Name`, `Type`, `Units`, `NumCoords`, `Coords`, `Area`, `AlarmRGB`, `CheckMethod`,
  `MinPixelThreshold`, `MinAlarmPixels`, `MaxAlarmPixels`, `FilterX`, `FilterY`, `MinFilterPixels`, `MaxFilterPixels`,
  `MinBlobPixels`, `MinBlobs`)
  VALUES (@aipg_monitor, 'All', 'Active', 'Percent', 4, '{corners}', {w * h}, 16711680, 'Blobs', 25, {w * h * 3 // 100},
  {w * h * 3 // 4}, 3, 3, {w * h * 3 // 100}, {w * h * 3 // 4}, {w * h // 50}, 1);
"""


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def measured(url: str) -> tuple[int, int] | None:
    """Width and height of the pictures a served stream shows now; None where it can't be read within 5 s."""
    try:
        with av.open(url, options={"rtsp_transport": "tcp"} if url.startswith("rtsp") else {},
                     timeout=_TIMEOUT_S) as box:
            video = box.streams.video[0]
            return (video.width, video.height) if video.width and video.height else None
    except (av.FFmpegError, IndexError, OSError):
        return None
