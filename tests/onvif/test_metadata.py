"""The metadata of people: ONVIF documents on a track beside the video, read by real clients."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import av
import defusedxml.ElementTree
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.frames import GuardedFrame
from aipg_plugin.geometry.boxes import corners
from aipg_plugin.media.fanout import Subscription
from aipg_plugin.media.server import StreamServer
from aipg_plugin.mqtt.reports import TrackReport
from aipg_plugin.onvif.metadata import PeopleMetadata, scene
from aipg_plugin.onvif.routes import OnvifService
from aipg_plugin.onvif.soap import SCHEMA
from aipg_plugin.options import Camera, CaptureMode, Settings, Source, Stream, Web
from tests import needs
from tests.hosts.guarding import Guard, filled_px
from tests.hosts.walk import SIDE_PX, write_walk
from tests.media.clips import guarded
from tests.media.test_serving import Feeder
from tests.servers import wait_for

STREAMS = (Stream("panorama", Source("x"), capture_mode=CaptureMode.PANORAMA), Stream("1", Source("x")))
SETTINGS = Settings(cameras=(Camera("lobby", streams=STREAMS),), web=Web(port=0, rtsp_port=0, onvif=True))
TT = {"tt": SCHEMA}
END = b"</tt:MetadataStream>"  # a document of several people takes several packets


def report(number: int = 7, box: tuple[float, float, float, float, float] = (0.5, 0.25, 0.1, 0.2, 0.0),
           score: float = 0.9) -> TrackReport:
    return TrackReport(number, box, score, None, 0.0)


def frame(at_s: float, stream: str = "1") -> GuardedFrame:
    return guarded(0, pts_s=at_s, wall_time_s=at_s, stream=stream)


class Server:
    """A served stream with ONVIF, and the watcher that the App would tell of looks and frames."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        service = OnvifService(lambda: settings, lambda: self.server, discovery=False)
        self.server = StreamServer(settings.web, extend=service.extend).start()
        self.feeder = Feeder(self.server, name="lobby/1")
        self.people = PeopleMetadata(lambda: settings, lambda: self.server)

    @property
    def url(self) -> str:
        return self.server.rtsp_url("lobby/1") + "/metadata"

    def subscribe(self) -> Subscription:
        return self.feeder.stream.subscribe(self.feeder.stream.metadata, lambda: None)

    def tell(self, at_s: float, *reports: TrackReport) -> None:
        self.people.figures("lobby", at_s, reports)
        self.people.guarded("lobby", frame(at_s))

    def close(self) -> None:
        self.feeder.close()
        self.server.close()


@pytest.fixture
def served() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def objects(document: bytes) -> list[Element]:
    return defusedxml.ElementTree.fromstring(document).findall("tt:VideoAnalytics/tt:Frame/tt:Object", TT)


def numbers(element: Element | None) -> dict[str, float]:
    assert element is not None
    return {name: float(value) for name, value in element.items()}


def test_a_box_is_told_in_onvif_coordinates() -> None:
    (found,) = objects(scene([report()], (200, 100), 1_700_000_000.5))
    assert found.get("ObjectId") == "7"
    shape = found.find("tt:Appearance/tt:Shape", TT)
    assert shape is not None
    assert numbers(shape.find("tt:BoundingBox", TT)) == {"left": -0.1, "top": 0.7, "right": 0.1, "bottom": 0.3}
    assert numbers(shape.find("tt:CenterOfGravity", TT)) == {"x": 0.0, "y": 0.5}
    assert found.findtext("tt:Appearance/tt:Class/tt:Type", namespaces=TT) == "Human"


def test_a_turned_box_is_its_polygon() -> None:
    """In a picture twice as wide as high, a quarter turn makes a box of 40 x 20 px stand 20 x 40."""
    (found,) = objects(scene([report(box=(0.5, 0.5, 0.2, 0.2, 90.0))], (200, 100), 0.0))
    polygon = [numbers(point) for point in found.findall("tt:Appearance/tt:Shape/tt:Polygon/tt:Point", TT)]
    assert {(abs(point["x"]), abs(point["y"])) for point in polygon} == {(0.1, 0.4)}
    first = corners([(100.0, 50.0, 40.0, 20.0, 90.0)])[0, 0] / (100, 50) - 1
    assert (polygon[0]["x"], polygon[0]["y"]) == pytest.approx((first[0], -first[1]))


def test_documents_fit_the_schema() -> None:
    """That of onvif-zeep, which is older than the element `Type` of a class."""
    needs.need_module("wsdl")
    from lxml import etree

    spec = find_spec("wsdl")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations)))
    schema = etree.XMLSchema(etree.parse(str(folder / "onvif.xsd")))
    document = scene([report(), report(8, (0.01, 0.99, 0.3, 0.4, 33.0))], (200, 100), 12.0)
    without = re.sub(rb"<tt:Type Likelihood=[^/]*/tt:Type>", b"", document)
    schema.assertValid(etree.fromstring(without))


floats = st.floats(-10, 10)


@given(st.lists(st.tuples(floats, floats, floats, floats, st.floats(-720, 720), st.floats(-2, 2))),
       st.floats(0, 4e9))
def test_any_report_makes_a_document(boxes: list[tuple[float, ...]], now_s: float) -> None:
    reports = [report(n, (box[0], box[1], box[2], box[3], box[4]), box[5]) for n, box in enumerate(boxes)]
    found = objects(scene(reports, (640, 480), now_s))
    assert len(found) == len(boxes)
    for each in found:
        box = numbers(each.find("tt:Appearance/tt:Shape/tt:BoundingBox", TT))
        assert -1 <= box["left"] <= box["right"] <= 1
        assert -1 <= box["bottom"] <= box["top"] <= 1


def test_a_look_is_told_with_the_frame_of_its_moment(served: Server) -> None:
    reader = served.subscribe()
    now_s = time.time()
    served.people.figures("lobby", now_s, (report(1),))
    served.people.guarded("lobby", frame(now_s - 0.1))
    served.people.guarded("lobby", frame(now_s + 0.1, stream="panorama"))
    assert reader.take() == [], "the frame of that moment has not left, and the other stream shows another picture"
    served.people.figures("lobby", now_s + 0.05, ())
    served.people.figures("lobby", now_s + 0.2, (report(2),))
    served.people.guarded("lobby", frame(now_s + 0.1))
    (chunk,) = reader.take()
    assert objects(chunk.data) == [], "the newest look up to the frame"
    served.people.guarded("lobby", frame(now_s + 0.3))
    (chunk,) = reader.take()
    assert [each.get("ObjectId") for each in objects(chunk.data)] == ["2"]


def test_looks_do_not_pile_up_without_frames(served: Server) -> None:
    reader = served.subscribe()
    for number in range(500):
        served.people.figures("lobby", 1e12 + number, (report(number),))
    served.people.guarded("lobby", frame(1.0))
    assert len(reader.take()) == 1, "a clock that was put back holds nothing up"
    served.people.changed("page", SETTINGS, replace(SETTINGS, cameras=()))
    served.people.guarded("lobby", frame(2e12))
    assert reader.take() == []


def test_a_client_reads_video_and_metadata(served: Server) -> None:
    """A document of thirty people takes several packets."""
    people = [report(number, (0.03 * number, 0.5, 0.05, 0.2, 10.0)) for number in range(30)]
    pieces, pictures, started_s = [], 0, time.time()
    with av.open(served.url, options={"rtsp_transport": "tcp"}, timeout=(8, 8)) as box:
        assert [stream.type for stream in box.streams] == ["video", "data"]
        for packet in box.demux():
            pictures += packet.stream.type == "video"
            if packet.stream.type == "data":
                pieces.append(bytes(packet))
                if pieces[-1].endswith(END):
                    break
            if pictures % 5 == 0:
                served.tell(time.time(), *people)
    assert pictures > 0
    assert len(pieces) > 3
    document = b"".join(pieces)
    assert len(objects(document[document.index(b"<?xml"):])) == 30
    frame_element = defusedxml.ElementTree.fromstring(document).find("tt:VideoAnalytics/tt:Frame", TT)
    assert frame_element is not None
    told = np.datetime64((frame_element.get("UtcTime") or "").rstrip("Z")).astype("datetime64[ms]").astype(float) / 1e3
    assert started_s - 1 <= told <= time.time() + 1
    wait_for(lambda: served.feeder.stream.clients == 0 and not len(served.feeder.stream.metadata), 5, "clients gone")


def test_ffprobe_shows_the_track_at_its_own_address_only(served: Server) -> None:
    def probed(url: str) -> str:
        return subprocess.run([needs.need("ffprobe"), "-v", "error", "-rtsp_transport", "tcp", "-show_entries",
                               "stream=codec_type", "-of", "csv=p=0", url], capture_output=True, text=True, timeout=30,
                              check=True).stdout

    assert probed(served.url).split() == ["video", "data"]
    assert probed(served.server.rtsp_url("lobby/1")).split() == ["video"]


def _ask(server: StreamServer, *requests: str) -> list[str]:
    answers = []
    with socket.create_connection(("127.0.0.1", server.rtsp_port), 5) as connection:
        for number, request in enumerate(requests):
            connection.sendall(f"{request.replace(' RTSP', ' RTSP/1.0', 1)}\r\nCSeq: {number}\r\n\r\n".encode())
            answers.append(connection.recv(65536).decode(errors="replace"))
    return answers


def test_each_track_is_set_up_with_channels_of_its_own(served: Server) -> None:
    base = f"rtsp://127.0.0.1:{served.server.rtsp_port}/lobby/1/metadata"
    described, first, second = _ask(
        served.server, f"DESCRIBE {base} RTSP",
        f"SETUP {base}/trackID=0 RTSP\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1",
        f"SETUP {base}/trackID=1 RTSP\r\nTransport: RTP/AVP/TCP;unicast;interleaved=2-3")
    assert "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=1" in described
    assert "interleaved=0-1" in first
    assert "interleaved=2-3" in second
    sources = [re.search("ssrc=([0-9A-F]{8})", answer) for answer in (first, second)]
    assert all(sources)
    assert all(one and other and one[1] != other[1] for one, other in pairwise(sources))


def test_there_is_none_without_onvif() -> None:
    server = Server(replace(SETTINGS, web=replace(SETTINGS.web, onvif=False)))
    try:
        plain = server.server.rtsp_url("lobby/1")
        (refused,) = _ask(server.server, f"DESCRIBE {server.url} RTSP")
        (track,) = _ask(server.server, f"SETUP {plain}/trackID=1 RTSP\r\nTransport: RTP/AVP/TCP;interleaved=0-1")
        assert refused.startswith("RTSP/1.0 404")
        assert track.startswith("RTSP/1.0 404")
    finally:
        server.close()


def test_a_vms_finds_the_configuration_and_the_address(served: Server) -> None:
    needs.need_module("onvif")
    from onvif import ONVIFCamera

    panorama = Feeder(served.server, name="lobby/panorama")
    try:
        media = ONVIFCamera("127.0.0.1", served.server.port, "", "").create_media_service()
        profiles = {profile.token: profile for profile in media.GetProfiles()}
        assert profiles["lobby_panorama"].MetadataConfiguration is None
        configuration = profiles["lobby_1"].MetadataConfiguration
        assert (configuration.token, configuration.Analytics) == ("metadata_lobby_1", True)
        assert [each.token for each in media.GetMetadataConfigurations()] == ["metadata_lobby_1"]
        assert media.GetMetadataConfiguration({"ConfigurationToken": configuration.token}).Analytics
        assert not media.GetMetadataConfigurationOptions({}).PTZStatusFilterOptions.ZoomStatusSupported
        uris = [media.GetStreamUri({"StreamSetup": {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}},
                                    "ProfileToken": token}).Uri for token in ("lobby_1", "lobby_panorama")]
        assert uris == [served.url, served.server.rtsp_url("lobby/panorama")]
    finally:
        panorama.close()


def test_boxes_of_a_running_guard_lie_on_its_masks(tmp_path: Path) -> None:
    """The whole way: somebody walks, is found, masked, and told where the mask is."""
    guard = Guard(tmp_path, {"url": str(write_walk(tmp_path / "walk.mp4")), "loop": True},
                  outputs=["rtsp_serve", "http"], web={"onvif": True})
    try:
        hits = 0
        with av.open(guard.rtsp + "/metadata", options={"rtsp_transport": "tcp"}, timeout=(15, 15)) as box:
            picture, document = None, b""
            for packet in box.demux():
                if packet.stream.type == "video":
                    picture = next((each.to_ndarray(format="bgr24") for each in packet.decode()), picture)
                    continue
                document += bytes(packet)
                if not document.endswith(END):
                    continue
                whole, document = document[document.index(b"<?xml"):], b""
                for found in objects(whole) if picture is not None else []:
                    inside = numbers(found.find("tt:Appearance/tt:Shape/tt:BoundingBox", TT))
                    x0, x1 = (round((inside[side] + 1) / 2 * SIDE_PX) for side in ("left", "right"))
                    y0, y1 = (round((1 - inside[side]) / 2 * SIDE_PX) for side in ("top", "bottom"))
                    hits += filled_px(picture[y0:y1, x0:x1]) > 0.5 * (x1 - x0) * (y1 - y0)
                if hits >= 3:
                    break
        assert hits >= 3
    finally:
        guard.stop()

