"""SOAP 1.2 messages as ONVIF uses them: requests in, responses and faults out."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from aipg_plugin.errors import HostError

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
UTILITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
CONTENT_TYPE = "application/soap+xml; charset=utf-8"
MAX_BYTES = 64 << 10

_HEAD = (f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{ENVELOPE}" xmlns:tds="{DEVICE}" '
         f'xmlns:trt="{MEDIA}" xmlns:tt="{SCHEMA}" xmlns:ter="http://www.onvif.org/ver10/error">')


@dataclass(frozen=True)
class UsernameToken:
    """WS-Security's login (UsernameToken Profile 1.0): texts as sent; `nonce` is Base64."""

    username: str
    password: str
    nonce: str
    created: str


@dataclass(frozen=True)
class Request:
    """A request: the operation's name and namespace, its element, and the login if it carries one."""

    operation: str
    namespace: str
    body: Element
    token: UsernameToken | None

    def text(self, name: str) -> str:
        """Text of the first element of this local name below the operation; "" without one."""
        return next((element.text or "" for element in self.body.iter() if _local(element) == name), "")


def parse(data: bytes) -> Request:
    """Read a request of at most MAX_BYTES. Raises HostError for anything but a SOAP operation."""
    if len(data) > MAX_BYTES:
        raise HostError("the request has {size} bytes, more than {limit}", size=len(data), limit=MAX_BYTES)
    try:
        root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise HostError("the request is not XML") from error
    body = root.find(f"{{{ENVELOPE}}}Body")
    operation = next(iter(body), None) if body is not None else None
    if operation is None:
        raise HostError("the request is no SOAP envelope with an operation")
    namespace, _, name = operation.tag.rpartition("}")
    return Request(name, namespace.lstrip("{"), operation, _token(root))


def response(body: str) -> bytes:
    """An envelope around the XML of a response; the prefixes tds, trt and tt are declared."""
    return f"{_HEAD}<s:Body>{body}</s:Body></s:Envelope>".encode()


def fault(code: str, subcode: str, reason: str) -> bytes:
    """A SOAP fault; `code` is Sender or Receiver, `subcode` one of ONVIF's such as ter:NotAuthorized."""
    return response(f"<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value>{subcode}</s:Value></s:Subcode>"
                    f'</s:Code><s:Reason><s:Text xml:lang="en">{escape(reason)}</s:Text></s:Reason></s:Fault>')


def _token(root: Element) -> UsernameToken | None:
    token = root.find(f"{{{ENVELOPE}}}Header/{{{SECURITY}}}Security/{{{SECURITY}}}UsernameToken")
    if token is None:
        return None
    tags = [f"{{{SECURITY}}}{name}" for name in ("Username", "Password", "Nonce")] + [f"{{{UTILITY}}}Created"]
    return UsernameToken(*((token.findtext(tag) or "").strip() for tag in tags))


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]
