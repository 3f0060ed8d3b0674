"""Guarded cameras as ONVIF devices, asked by a real client (onvif-zeep) and by probes on a socket."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import defusedxml.ElementTree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aipg_plugin.app import App
from aipg_plugin.cli.run import pages_of
from aipg_plugin.errors import HostError
from aipg_plugin.media.server import StreamServer
from aipg_plugin.onvif import soap
from aipg_plugin.onvif.device import OnvifDevice, OnvifStream
from aipg_plugin.onvif.discovery import Discovery, reply_to
from aipg_plugin.onvif.login import TokenCheck
from aipg_plugin.onvif.routes import OnvifService
from aipg_plugin.onvif.soap import UsernameToken
from aipg_plugin.options import Camera, Settings, Source, Stream, Web
from tests.media.clips import SIZE_WH
from tests.media.test_serving import Feeder
from tests.needs import need_module

USER, PASSWORD = "viewer", "p<a>ss & word"
SETTINGS = Settings(cameras=(Camera("lobby", streams=(Stream("1", Source("x")), Stream("2", Source("y")))),),
                    web=Web(port=0, rtsp_port=0, username=USER, password=PASSWORD, onvif=True))


@pytest.fixture
def served() -> Iterator[StreamServer]:
    holder: list[StreamServer] = []
    service = OnvifService(lambda: SETTINGS, lambda: holder[0], discovery=False)
    holder.append(StreamServer(SETTINGS.web, extend=service.extend).start())
    feeder = Feeder(holder[0], name="lobby/1")
    yield holder[0]
    feeder.close()
    holder[0].close()


def test_a_client_finds_profiles_and_addresses(served: StreamServer) -> None:
    need_module("onvif")
    from onvif import ONVIFCamera

    client = ONVIFCamera("127.0.0.1", served.port, USER, PASSWORD)
    information = client.devicemgmt.GetDeviceInformation()
    assert (information.Manufacturer, information.Model) == ("AI Privacy Guard", SETTINGS.instance_id)
    media = client.create_media_service()
    (profile,) = media.GetProfiles()
    resolution = profile.VideoEncoderConfiguration.Resolution
    assert (resolution.Width, resolution.Height) == SIZE_WH
    assert profile.VideoEncoderConfiguration.Encoding == "H264"
    stream = media.GetStreamUri({"StreamSetup": {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}},
                                 "ProfileToken": profile.token})
    assert stream.Uri == f"rtsp://127.0.0.1:{served.rtsp_port}/lobby/1/metadata"
    snapshot = media.GetSnapshotUri({"ProfileToken": profile.token})
    assert snapshot.Uri == f"http://127.0.0.1:{served.port}/streams/lobby/1.jpg"
    assert len(media.GetVideoSources()) == 1
    _asks_for_details(media, profile)
    assert media.GetProfile({"ProfileToken": "lobby_1"}).token == "lobby_1"
    assert len(media.GetVideoEncoderConfigurations()) == len(media.GetVideoSourceConfigurations()) == 1
    assert any("Profile/Streaming" in scope.ScopeItem for scope in client.devicemgmt.GetScopes())


def _asks_for_details(media: Any, profile: Any) -> None:
    """What video management systems ask before they show a camera."""
    encoder, source, metadata = (profile.VideoEncoderConfiguration, profile.VideoSourceConfiguration,
                                 profile.MetadataConfiguration)
    assert media.GetVideoEncoderConfiguration({"ConfigurationToken": encoder.token}).Encoding == "H264"
    assert media.GetVideoSourceConfiguration({"ConfigurationToken": source.token}).SourceToken == source.SourceToken
    named = {"ProfileToken": profile.token}
    for asked in ({}, named, {"ConfigurationToken": encoder.token}):
        (size,) = media.GetVideoEncoderConfigurationOptions(asked).H264.ResolutionsAvailable
        assert (size.Width, size.Height) == SIZE_WH
    assert [each.token for each in media.GetCompatibleVideoEncoderConfigurations(named)] == [encoder.token]
    assert [each.token for each in media.GetCompatibleVideoSourceConfigurations(named)] == [source.token]
    assert [each.token for each in media.GetCompatibleMetadataConfigurations(named)] == [metadata.token]
    media.SetSynchronizationPoint(named)


def test_it_is_served_beside_the_pages() -> None:
    settings = replace(SETTINGS, web=replace(SETTINGS.web, username=None, password=None, onvif=True))
    app = App(settings, pages=pages_of(settings))
    app.start()
    try:
        assert app.server is not None
        feeder = Feeder(app.server, name="lobby/1")
        assert _post(app.server, _asked("GetProfiles", soap.MEDIA), "media_service")[0] == 200
        with urllib.request.urlopen(f"http://127.0.0.1:{app.server.port}/", timeout=10) as page:
            assert page.status == 200
        feeder.close()
    finally:
        app.close()


def _post(server: StreamServer, body: bytes, path: str = "lobby/device_service") -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/onvif/{path}", body,
                                     {"Content-Type": soap.CONTENT_TYPE})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _asked(operation: str, namespace: str = soap.DEVICE, header: str = "") -> bytes:
    return (f'<s:Envelope xmlns:s="{soap.ENVELOPE}"><s:Header>{header}</s:Header><s:Body><o:{operation} '
            f'xmlns:o="{namespace}"/></s:Body></s:Envelope>').encode()


def test_without_login_only_what_the_standard_opens(served: StreamServer) -> None:
    for operation in ("GetSystemDateAndTime", "GetCapabilities", "GetServices"):
        assert _post(served, _asked(operation))[0] == 200
    for operation, namespace in (("GetDeviceInformation", soap.DEVICE), ("GetProfiles", soap.MEDIA),
                                 ("GetStreamUri", soap.MEDIA)):
        status, body = _post(served, _asked(operation, namespace))
        assert status == 401
        assert b"NotAuthorized" in body
        assert b"rtsp://" not in body
    assert _post(served, _asked("GetServices"), "garden/device_service")[0] == 404


@pytest.mark.parametrize("body", [b"", b"<a", b"<a/>", b"\xff\xfe", b"x" * (soap.MAX_BYTES + 1),
                                  b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_nonsense_is_a_fault(served: StreamServer, body: bytes) -> None:
    status, answer = _post(served, body)
    assert status == 400
    assert b"ter:WellFormed" in answer


@given(st.binary(max_size=300))
def test_parsing_is_total(data: bytes) -> None:
    with contextlib.suppress(HostError):
        soap.parse(data)


def _token(password: str, created: datetime, nonce: bytes = b"0123456789abcdef") -> UsernameToken:
    text = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = base64.b64encode(hashlib.sha1(nonce + text.encode() + password.encode()).digest()).decode()
    return UsernameToken(USER, digest, base64.b64encode(nonce).decode(), text)


def test_a_token_admits_once_and_in_time() -> None:
    now = datetime.now(UTC)
    check = TokenCheck(USER, PASSWORD)
    good = _token(PASSWORD, now)
    assert not check.ok(None, now)
    assert not check.ok(_token("wrong", now), now)
    assert not check.ok(replace(good, username="other"), now)
    assert not check.ok(replace(good, nonce="%%"), now)
    assert not check.ok(replace(good, created="yesterday"), now)
    assert not check.ok(good, now + timedelta(minutes=6))
    assert not check.ok(good, now - timedelta(minutes=6))
    assert check.ok(good, now)
    assert not check.ok(good, now), "a token that was overheard must not admit again"
    assert check.ok(_token(PASSWORD, now, b"another nonce"), now)


LOBBY = OnvifDevice("lobby", "Lobby & hall", "aipg", "http://192.0.2.7:8097/onvif/lobby",
                    (OnvifStream("1", (960, 960), 25.0, "rtsp://192.0.2.7:8554/lobby/1", ""),))


def _probe(types: str = "", kind: str = "Probe", address: str = "") -> bytes:
    inner = f"<d:Types xmlns:dn='http://www.onvif.org/ver10/network/wsdl'>{types}</d:Types>" if kind == "Probe" else \
        f"<a:EndpointReference><a:Address>{address}</a:Address></a:EndpointReference>"
    return (f'<s:Envelope xmlns:s="{soap.ENVELOPE}" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
            f'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:MessageID>uuid:{uuid4()}'
            f"</a:MessageID></s:Header><s:Body><d:{kind}>{inner}</d:{kind}></s:Body></s:Envelope>").encode()


@pytest.mark.parametrize(("message", "found"), [
    (_probe(), True), (_probe("dn:NetworkVideoTransmitter"), True), (_probe("dn:NetworkVideoDisplay"), False),
    (_probe(kind="Resolve", address=f"urn:uuid:{LOBBY.uuid}"), True),
    (_probe(kind="Resolve", address="urn:uuid:x"), False),
])
def test_probes_are_answered_with_the_address(message: bytes, found: bool) -> None:
    reply = reply_to(defusedxml.ElementTree.fromstring(message), [LOBBY])
    assert (reply is not None) is found
    if reply is not None:
        text = defusedxml.ElementTree.fromstring(reply)
        assert "http://192.0.2.7:8097/onvif/lobby/device_service" in "".join(text.itertext())


class Sent(asyncio.DatagramTransport):
    """Keeps what would go to the multicast group, which not every machine has a way to."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[bytes] = []

    def sendto(self, data: bytes, addr: object = None) -> None:
        assert addr == ("239.255.255.250", 3702)
        self.messages.append(data)

    def close(self) -> None: ...


def test_cameras_say_hello_when_they_are_served_and_bye_when_no_more() -> None:
    """None is served yet when the services start, and cameras come and go while they run."""
    discovery, sent = Discovery(lambda _address: []), Sent()
    discovery.connection_made(sent)
    yard = replace(LOBBY, id="yard")
    for cameras in ([], [LOBBY], [LOBBY], [LOBBY, yard], [yard]):
        discovery.tell(cameras)
    discovery.stop()
    kinds = [("Hello" if b"<d:Hello>" in message else "Bye", LOBBY.uuid.encode() in message)
             for message in sent.messages]
    assert kinds == [("Hello", True), ("Hello", False), ("Bye", True), ("Bye", False)]
    assert LOBBY.base_url.encode() in sent.messages[0]


def test_a_probe_on_the_network_is_answered() -> None:
    async def asked() -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        discovery = Discovery(lambda _address: [LOBBY], port=port)
        await discovery.start()
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            await loop.sock_sendto(client, b"nonsense", ("127.0.0.1", port))
            await loop.sock_sendto(client, _probe(), ("127.0.0.1", port))
            reply = await asyncio.wait_for(loop.sock_recv(client, 65536), 10)
        discovery.stop()
        return reply

    assert LOBBY.base_url.encode() in asyncio.run(asked())
