"""RTP for H.264 (RFC 3550, RFC 6184) and ONVIF metadata (ONVIF Streaming §5.2.1.1), and their SDP (RFC 8866)."""

from __future__ import annotations

import base64
import secrets
import struct
import time
from collections.abc import Iterable, Iterator

_VIDEO, _METADATA = 96, 107
_MAX_PAYLOAD = 1400
_NTP_EPOCH_S = 2_208_988_800


def packetise(units: list[bytes], max_payload: int = _MAX_PAYLOAD) -> Iterator[tuple[bytes, bool]]:
    """RTP payloads of one access unit, with the marker bit that ends it: single NAL units, FU-A for long ones."""
    for number, unit in enumerate(units):
        last_unit = number == len(units) - 1
        if len(unit) <= max_payload:
            yield unit, last_unit
            continue
        indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
        step = max_payload - 2
        for at in range(1, len(unit), step):
            start, end = at == 1, at + step >= len(unit)
            header = bytes((indicator, start << 7 | end << 6 | kind))
            yield header + unit[at:at + step], end and last_unit


class RtpTrack:
    """Numbers RTP packets of one client. `clock_offset` and `ssrc` are random per client."""

    def __init__(self, *, ssrc: int, first_seq: int, clock_offset: int) -> None:
        self.ssrc = ssrc
        self.seq = first_seq & 0xFFFF
        self._clock_offset = clock_offset
        self._packets = self._octets = 0
        self._last_timestamp = clock_offset & 0xFFFFFFFF

    @classmethod
    def of_client(cls) -> RtpTrack:
        """A track for a new client."""
        return cls(ssrc=secrets.randbits(32), first_seq=secrets.randbits(15), clock_offset=secrets.randbits(31))

    def timestamp(self, pts: int) -> int:
        """RTP time of a 90 kHz time."""
        return (pts + self._clock_offset) & 0xFFFFFFFF

    def packets(self, units: list[bytes], pts: int) -> Iterator[bytes]:
        """The RTP packets of one access unit."""
        return self._numbered(packetise(units), _VIDEO, pts)

    def document(self, data: bytes, pts: int) -> Iterator[bytes]:
        """The RTP packets of one XML document; the marker bit ends it."""
        pieces = [data[at:at + _MAX_PAYLOAD] for at in range(0, len(data), _MAX_PAYLOAD)]
        return self._numbered(((piece, piece is pieces[-1]) for piece in pieces), _METADATA, pts)

    def _numbered(self, payloads: Iterable[tuple[bytes, bool]], payload_type: int, pts: int) -> Iterator[bytes]:
        timestamp = self._last_timestamp = self.timestamp(pts)
        for payload, marker in payloads:
            yield struct.pack("!BBHII", 0x80, marker << 7 | payload_type, self.seq, timestamp, self.ssrc) + payload
            self.seq = (self.seq + 1) & 0xFFFF
            self._packets += 1
            self._octets += len(payload)

    def sender_report(self) -> bytes:
        """An RTCP sender report with source description (RFC 3550 §6.4.1, §6.5)."""
        ntp = time.time() + _NTP_EPOCH_S
        report = struct.pack("!BBHIIIIII", 0x80, 200, 6, self.ssrc, int(ntp), int(ntp % 1 * 2**32),
                             self._last_timestamp, self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
        name = b"\x01\x04aipg\x00\x00"
        return report + struct.pack("!BBHI", 0x81, 202, 1 + len(name) // 4, self.ssrc) + name


def session_description(parameter_sets: tuple[bytes, ...], *, name: str, address: str, metadata: bool = False) -> str:
    """SDP of one H.264 track; `parameter_sets` are SPS and PPS without start codes. `metadata` adds a track of it."""
    sets = ",".join(base64.b64encode(unit).decode() for unit in parameter_sets)
    profile = next((unit[1:4].hex().upper() for unit in parameter_sets if unit[0] & 0x1F == 7), "42E01F")
    family = "IP6" if ":" in address else "IP4"
    second = (f"m=application 0 RTP/AVP {_METADATA}", f"a=rtpmap:{_METADATA} vnd.onvif.metadata/90000",
              "a=control:trackID=1") if metadata else ()
    return "\r\n".join((
        "v=0", f"o=- {int(time.time())} 1 IN {family} {address}", f"s={name}",
        f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}", "t=0 0",
        "a=tool:aipg", "a=type:broadcast", "a=control:*", "a=range:npt=now-",
        f"m=video 0 RTP/AVP {_VIDEO}", f"a=rtpmap:{_VIDEO} H264/90000",
        f"a=fmtp:{_VIDEO} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}",
        "a=control:trackID=0", *second, ""))
