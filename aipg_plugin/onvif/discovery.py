"""WS-Discovery 1.0 (April 2005, as ONVIF uses it): answers probes for cameras, and says Hello and Bye."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast
from uuid import uuid4
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from aipg_plugin.onvif.device import OnvifDevice

_log = logging.getLogger(__name__)
GROUP, PORT = "239.255.255.250", 3702
_WSD = "http://schemas.xmlsoap.org/ws/2005/04/discovery"
_WSA = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_TYPES = "dn:NetworkVideoTransmitter tds:Device"
_MAX_BYTES = 16 << 10
_LOOK_EVERY_S = 5.0  # for cameras that are served now or no more

Cameras = Callable[[str], Sequence[OnvifDevice]]
"""The cameras as a client at this address reaches them."""


class Discovery(asyncio.DatagramProtocol):
    """Answers on UDP port 3702 (another `port` for tests). Messages that make no sense are ignored."""

    def __init__(self, cameras: Cameras, *, port: int = PORT) -> None:
        self._cameras = cameras
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._told: dict[str, OnvifDevice] = {}
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the multicast group and say Hello for each camera once it is served. Raises OSError without the port."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.bind(("", self._port))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                            struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton("0.0.0.0")))
        except OSError:
            sock.close()
            raise
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        self._follower = asyncio.create_task(self._follow())

    def stop(self) -> None:
        """Say Bye and leave."""
        if self._follower is not None:
            self._follower.cancel()
        self.tell([])
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a probe or resolve; ignore the rest."""
        if self._transport is None or len(data) > _MAX_BYTES:
            return
        try:
            root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
            reply = reply_to(root, self._cameras(addr[0]))
            if reply is not None:
                self._transport.sendto(reply, addr)
        except (ParseError, DefusedXmlException, ValueError, OSError) as error:
            _log.debug("a discovery message from %s was ignored: %s", addr[0], error)

    def tell(self, cameras: Sequence[OnvifDevice]) -> None:
        """Say Hello for those that were not told of, and Bye for those that are no more."""
        now = {camera.uuid: camera for camera in cameras}
        for camera in (camera for uuid, camera in now.items() if uuid not in self._told):
            self._send("Hello", _described(camera))
        for camera in (camera for uuid, camera in self._told.items() if uuid not in now):
            self._send("Bye", _endpoint(camera))
        self._told = now

    async def _follow(self) -> None:
        while True:
            self.tell(self._cameras(GROUP))
            await asyncio.sleep(_LOOK_EVERY_S)

    def _send(self, kind: str, body: str) -> None:
        if self._transport is None:
            return
        try:
            self._transport.sendto(_message(kind, f"<d:{kind}>{body}</d:{kind}>", ""), (GROUP, self._port))
        except OSError as error:
            _log.debug("%s could not be sent: %s", kind, error)


def reply_to(root: Element, cameras: Sequence[OnvifDevice]) -> bytes | None:
    """The answer to a Probe or Resolve; None where none is due."""
    message_id = root.findtext(f"{{{_SOAP}}}Header/{{{_WSA}}}MessageID") or ""
    probe = root.find(f"{{{_SOAP}}}Body/{{{_WSD}}}Probe")
    if probe is not None:
        types = {word.rpartition(":")[2] for word in (probe.findtext(f"{{{_WSD}}}Types") or "").split()}
        scopes = (probe.findtext(f"{{{_WSD}}}Scopes") or "").split()
        matching = [camera for camera in cameras if types <= {"NetworkVideoTransmitter", "Device"}
                    and all(any(own.startswith(scope) for own in camera.scopes) for scope in scopes)]
        matches = "".join(f"<d:ProbeMatch>{_described(camera)}</d:ProbeMatch>" for camera in matching)
        return _message("ProbeMatches", f"<d:ProbeMatches>{matches}</d:ProbeMatches>", message_id) if matching else None
    address = root.findtext(f"{{{_SOAP}}}Body/{{{_WSD}}}Resolve/{{{_WSA}}}EndpointReference/{{{_WSA}}}Address") or ""
    for camera in cameras:
        if address == f"urn:uuid:{camera.uuid}":
            match = f"<d:ResolveMatches><d:ResolveMatch>{_described(camera)}</d:ResolveMatch></d:ResolveMatches>"
            return _message("ResolveMatches", match, message_id)
    return None


def own_address(towards: str) -> str:
    """This machine's address on the way to another one; "127.0.0.1" where there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # connecting UDP sends nothing
        try:
            probe.connect((towards, PORT))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _endpoint(camera: OnvifDevice) -> str:
    return f"<a:EndpointReference><a:Address>urn:uuid:{camera.uuid}</a:Address></a:EndpointReference>"


def _described(camera: OnvifDevice) -> str:
    return (f"{_endpoint(camera)}<d:Types>{_TYPES}</d:Types><d:Scopes>{escape(' '.join(camera.scopes))}</d:Scopes>"
            f"<d:XAddrs>{escape(camera.base_url)}/device_service</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>")


def _message(kind: str, body: str, relates_to: str) -> bytes:
    to = "urn:schemas-xmlsoap-org:ws:2005:04:discovery" if not relates_to else f"{_WSA}/role/anonymous"
    related = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}" xmlns:a="{_WSA}" xmlns:d="{_WSD}" '
            'xmlns:dn="http://www.onvif.org/ver10/network/wsdl" xmlns:tds="http://www.onvif.org/ver10/device/wsdl">'
            f"<s:Header><a:MessageID>urn:uuid:{uuid4()}</a:MessageID>{related}<a:To>{to}</a:To>"
            f"<a:Action>{_WSD}/{kind}</a:Action></s:Header><s:Body>{body}</s:Body></s:Envelope>").encode()
