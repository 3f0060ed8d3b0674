"""A guarded camera as an ONVIF Profile S device: what it is, its profiles, and where their pictures and metadata are.

Operations and elements are those of the ONVIF Core and Media service specifications, version 10 of their schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5
from xml.sax.saxutils import escape

from aipg_plugin.onvif.soap import DEVICE, MEDIA, Request
from aipg_plugin.version import __version__

OPEN_OPERATIONS = frozenset({"GetSystemDateAndTime", "GetCapabilities", "GetServices", "GetServiceCapabilities"})
"""What a client may ask before it logs in (ONVIF Core, access class PRE_AUTH)."""


@dataclass(frozen=True)
class OnvifStream:
    """A guarded stream: `token` names its profile, `size_wh` and `fps` are those it is encoded at.

    `metadata`: `rtsp_url` has a track that tells where people are; `want_key_frame` makes the next picture one.
    """

    token: str
    size_wh: tuple[int, int]
    fps: float
    rtsp_url: str
    snapshot_url: str
    metadata: bool = False
    want_key_frame: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class OnvifDevice:
    """A camera (`id` "" for all together) and the base address its services have for the client that asks."""

    id: str
    name: str
    instance_id: str
    base_url: str
    streams: tuple[OnvifStream, ...]

    @property
    def uuid(self) -> str:
        """The same for this camera of this installation at every start (RFC 4122, version 5)."""
        return str(uuid5(NAMESPACE_URL, f"aipg:{self.instance_id}/{self.id}"))

    @property
    def scopes(self) -> tuple[str, ...]:
        """What discovery and GetScopes tell."""
        return ("onvif://www.onvif.org/type/video_encoder", "onvif://www.onvif.org/Profile/Streaming",
                f"onvif://www.onvif.org/name/{_scope(self.name)}", "onvif://www.onvif.org/hardware/aipg")


Answer = Callable[[OnvifDevice, Request], str]


def answer(device: OnvifDevice, request: Request) -> str | None:
    """The XML that answers an operation; None for one this device does not have. KeyError for an unknown token."""
    operation = _OPERATIONS.get((request.namespace, request.operation))
    return None if operation is None else operation(device, request)


def _date_and_time(_device: OnvifDevice, _request: Request) -> str:
    now = datetime.now(UTC)
    return ("<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
            f"</tt:Time><tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
            "</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>")


def _capabilities(device: OnvifDevice, _request: Request) -> str:
    base = escape(device.base_url)
    return ("<tds:GetCapabilitiesResponse><tds:Capabilities>"
            f"<tt:Device><tt:XAddr>{base}/device_service</tt:XAddr></tt:Device>"
            f"<tt:Media><tt:XAddr>{base}/media_service</tt:XAddr><tt:StreamingCapabilities>"
            "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP>"
            "</tt:StreamingCapabilities></tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>")


def _services(device: OnvifDevice, _request: Request) -> str:
    version = "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version>"
    services = "".join(f"<tds:Service><tds:Namespace>{namespace}</tds:Namespace><tds:XAddr>"
                       f"{escape(device.base_url)}/{path}</tds:XAddr>{version}</tds:Service>"
                       for namespace, path in ((DEVICE, "device_service"), (MEDIA, "media_service")))
    return f"<tds:GetServicesResponse>{services}</tds:GetServicesResponse>"


def _device_service_capabilities(_device: OnvifDevice, _request: Request) -> str:
    return ('<tds:GetServiceCapabilitiesResponse><tds:Capabilities><tds:Network/><tds:Security UsernameToken="true" '
            'HttpDigest="false"/><tds:System/></tds:Capabilities></tds:GetServiceCapabilitiesResponse>')


def _media_service_capabilities(_device: OnvifDevice, _request: Request) -> str:
    return ('<trt:GetServiceCapabilitiesResponse><trt:Capabilities SnapshotUri="true"><trt:ProfileCapabilities '
            'MaximumNumberOfProfiles="8"/><trt:StreamingCapabilities RTPMulticast="false" RTP_TCP="true" '
            'RTP_RTSP_TCP="true"/></trt:Capabilities></trt:GetServiceCapabilitiesResponse>')


def _device_information(device: OnvifDevice, _request: Request) -> str:
    return ("<tds:GetDeviceInformationResponse><tds:Manufacturer>AI Privacy Guard</tds:Manufacturer>"
            f"<tds:Model>{escape(device.name)}</tds:Model><tds:FirmwareVersion>{__version__}"
            f"</tds:FirmwareVersion><tds:SerialNumber>{device.uuid}</tds:SerialNumber><tds:HardwareId>aipg"
            "</tds:HardwareId></tds:GetDeviceInformationResponse>")


def _scopes(device: OnvifDevice, _request: Request) -> str:
    scopes = "".join(f"<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef><tt:ScopeItem>{escape(scope)}</tt:ScopeItem>"
                     "</tds:Scopes>" for scope in device.scopes)
    return f"<tds:GetScopesResponse>{scopes}</tds:GetScopesResponse>"


def _hostname(_device: OnvifDevice, _request: Request) -> str:
    return ("<tds:GetHostnameResponse><tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>aipg</tt:Name>"
            "</tds:HostnameInformation></tds:GetHostnameResponse>")


def _network_interfaces(_device: OnvifDevice, _request: Request) -> str:
    return "<tds:GetNetworkInterfacesResponse></tds:GetNetworkInterfacesResponse>"


def _video_sources(device: OnvifDevice, _request: Request) -> str:
    sources = "".join(f'<trt:VideoSources token="source_{stream.token}"><tt:Framerate>{stream.fps:g}</tt:Framerate>'
                      f"{_resolution(stream)}</trt:VideoSources>" for stream in device.streams)
    return f"<trt:GetVideoSourcesResponse>{sources}</trt:GetVideoSourcesResponse>"


def _profiles(device: OnvifDevice, _request: Request) -> str:
    profiles = "".join(_profile_of(device, stream, "trt:Profiles") for stream in device.streams)
    return f"<trt:GetProfilesResponse>{profiles}</trt:GetProfilesResponse>"


def _profile(device: OnvifDevice, request: Request) -> str:
    stream = _stream(device, request)
    return f"<trt:GetProfileResponse>{_profile_of(device, stream, 'trt:Profile')}</trt:GetProfileResponse>"


def _source_configurations(device: OnvifDevice, _request: Request) -> str:
    listed = "".join(_source_configuration(stream, "trt:Configurations") for stream in device.streams)
    return f"<trt:GetVideoSourceConfigurationsResponse>{listed}</trt:GetVideoSourceConfigurationsResponse>"


def _encoder_configurations(device: OnvifDevice, _request: Request) -> str:
    listed = "".join(_encoder_configuration(stream, "trt:Configurations") for stream in device.streams)
    return f"<trt:GetVideoEncoderConfigurationsResponse>{listed}</trt:GetVideoEncoderConfigurationsResponse>"


def _metadata_configurations(device: OnvifDevice, _request: Request) -> str:
    listed = "".join(_metadata_configuration(stream, "trt:Configurations") for stream in device.streams)
    return f"<trt:GetMetadataConfigurationsResponse>{listed}</trt:GetMetadataConfigurationsResponse>"


def _source_configuration_named(device: OnvifDevice, request: Request) -> str:
    stream = _configured(device, request, "source_configuration")
    return _one("VideoSource", _source_configuration(stream, "trt:Configuration"))


def _encoder_configuration_named(device: OnvifDevice, request: Request) -> str:
    stream = _configured(device, request, "encoder")
    return _one("VideoEncoder", _encoder_configuration(stream, "trt:Configuration"))


def _metadata_configuration_named(device: OnvifDevice, request: Request) -> str:
    stream = _configured(device, request, "metadata")
    return _one("Metadata", _metadata_configuration(stream, "trt:Configuration"))


def _one(kind: str, configuration: str) -> str:
    if not configuration:
        raise KeyError("the stream has no such configuration")
    return f"<trt:Get{kind}ConfigurationResponse>{configuration}</trt:Get{kind}ConfigurationResponse>"


def _configured(device: OnvifDevice, request: Request, prefix: str) -> OnvifStream:
    token = request.text("ConfigurationToken")
    return {f"{prefix}_{stream.token}": stream for stream in device.streams}[token]


def _compatible(kind: str, configuration: Callable[[OnvifStream, str], str]) -> Answer:
    """The answer to a question for what suits a profile: what it has."""
    def listed(device: OnvifDevice, request: Request) -> str:
        found = configuration(_stream(device, request), "trt:Configurations")
        return (f"<trt:GetCompatible{kind}ConfigurationsResponse>{found}"
                f"</trt:GetCompatible{kind}ConfigurationsResponse>")

    return listed


def _encoder_options(device: OnvifDevice, request: Request) -> str:
    """What the encoder may be set to: to what it is."""
    streams = {token: stream for stream in device.streams for token in ("", stream.token, f"encoder_{stream.token}")}
    stream = streams[request.text("ProfileToken") or request.text("ConfigurationToken")]
    fps = max(1, round(stream.fps))

    def fixed(name: str, value: int) -> str:
        return f"<tt:{name}><tt:Min>{value}</tt:Min><tt:Max>{value}</tt:Max></tt:{name}>"

    w, h = stream.size_wh
    return ("<trt:GetVideoEncoderConfigurationOptionsResponse><trt:Options>"
            f"{fixed('QualityRange', 4)}<tt:H264><tt:ResolutionsAvailable><tt:Width>{w}</tt:Width><tt:Height>{h}"
            f"</tt:Height></tt:ResolutionsAvailable>{fixed('GovLengthRange', 2 * fps)}{fixed('FrameRateRange', fps)}"
            f"{fixed('EncodingIntervalRange', 1)}<tt:H264ProfilesSupported>High</tt:H264ProfilesSupported></tt:H264>"
            "</trt:Options></trt:GetVideoEncoderConfigurationOptionsResponse>")


def _synchronised(device: OnvifDevice, request: Request) -> str:
    _stream(device, request).want_key_frame()
    return "<trt:SetSynchronizationPointResponse/>"


def _metadata_options(_device: OnvifDevice, _request: Request) -> str:
    return ("<trt:GetMetadataConfigurationOptionsResponse><trt:Options><tt:PTZStatusFilterOptions>"
            "<tt:PanTiltStatusSupported>false</tt:PanTiltStatusSupported><tt:ZoomStatusSupported>false"
            "</tt:ZoomStatusSupported></tt:PTZStatusFilterOptions></trt:Options>"
            "</trt:GetMetadataConfigurationOptionsResponse>")


def _stream_uri(device: OnvifDevice, request: Request) -> str:
    return _uri("GetStreamUri", _stream(device, request).rtsp_url)


def _snapshot_uri(device: OnvifDevice, request: Request) -> str:
    url = _stream(device, request).snapshot_url
    if not url:
        raise KeyError("the stream has no HTTP output")
    return _uri("GetSnapshotUri", url)


def _uri(operation: str, url: str) -> str:
    return (f"<trt:{operation}Response><trt:MediaUri><tt:Uri>{escape(url)}</tt:Uri><tt:InvalidAfterConnect>false"
            "</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
            f"</trt:MediaUri></trt:{operation}Response>")


def _stream(device: OnvifDevice, request: Request) -> OnvifStream:
    token = request.text("ProfileToken")
    return {stream.token: stream for stream in device.streams}[token]


def _profile_of(device: OnvifDevice, stream: OnvifStream, tag: str) -> str:
    name = escape(f"{device.name} {stream.token}")
    return (f'<{tag} token="{stream.token}" fixed="true"><tt:Name>{name}</tt:Name>'
            f"{_source_configuration(stream, 'tt:VideoSourceConfiguration')}"
            f"{_encoder_configuration(stream, 'tt:VideoEncoderConfiguration')}"
            f"{_metadata_configuration(stream, 'tt:MetadataConfiguration')}</{tag}>")


def _source_configuration(stream: OnvifStream, tag: str) -> str:
    w, h = stream.size_wh
    return (f'<{tag} token="source_configuration_{stream.token}"><tt:Name>{stream.token}</tt:Name><tt:UseCount>1'
            f'</tt:UseCount><tt:SourceToken>source_{stream.token}</tt:SourceToken><tt:Bounds x="0" y="0" width="{w}" '
            f'height="{h}"/></{tag}>')


def _encoder_configuration(stream: OnvifStream, tag: str) -> str:
    fps = max(1, round(stream.fps))
    return (f'<{tag} token="encoder_{stream.token}"><tt:Name>{stream.token}</tt:Name><tt:UseCount>1</tt:UseCount>'
            f"<tt:Encoding>H264</tt:Encoding>{_resolution(stream)}<tt:Quality>4</tt:Quality><tt:RateControl>"
            f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>0"
            f"</tt:BitrateLimit></tt:RateControl><tt:H264><tt:GovLength>{2 * fps}</tt:GovLength><tt:H264Profile>High"
            f"</tt:H264Profile></tt:H264>{_NO_MULTICAST}</{tag}>")


def _metadata_configuration(stream: OnvifStream, tag: str) -> str:
    if not stream.metadata:
        return ""
    return (f'<{tag} token="metadata_{stream.token}"><tt:Name>{stream.token}</tt:Name><tt:UseCount>1</tt:UseCount>'
            f"<tt:Analytics>true</tt:Analytics>{_NO_MULTICAST}</{tag}>")


_NO_MULTICAST = ("<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address>"
                 "</tt:Address><tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
                 "<tt:SessionTimeout>PT60S</tt:SessionTimeout>")


def _resolution(stream: OnvifStream) -> str:
    w, h = stream.size_wh
    return f"<tt:Resolution><tt:Width>{w}</tt:Width><tt:Height>{h}</tt:Height></tt:Resolution>"


def _scope(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in text)


_OPERATIONS: dict[tuple[str, str], Answer] = {
    (DEVICE, "GetSystemDateAndTime"): _date_and_time,
    (DEVICE, "GetCapabilities"): _capabilities,
    (DEVICE, "GetServices"): _services,
    (DEVICE, "GetServiceCapabilities"): _device_service_capabilities,
    (DEVICE, "GetDeviceInformation"): _device_information,
    (DEVICE, "GetScopes"): _scopes,
    (DEVICE, "GetHostname"): _hostname,
    (DEVICE, "GetNetworkInterfaces"): _network_interfaces,
    (MEDIA, "GetServiceCapabilities"): _media_service_capabilities,
    (MEDIA, "GetVideoSources"): _video_sources,
    (MEDIA, "GetProfiles"): _profiles,
    (MEDIA, "GetProfile"): _profile,
    (MEDIA, "GetVideoSourceConfigurations"): _source_configurations,
    (MEDIA, "GetVideoEncoderConfigurations"): _encoder_configurations,
    (MEDIA, "GetVideoSourceConfiguration"): _source_configuration_named,
    (MEDIA, "GetVideoEncoderConfiguration"): _encoder_configuration_named,
    (MEDIA, "GetVideoEncoderConfigurationOptions"): _encoder_options,
    (MEDIA, "GetCompatibleVideoSourceConfigurations"): _compatible("VideoSource", _source_configuration),
    (MEDIA, "GetCompatibleVideoEncoderConfigurations"): _compatible("VideoEncoder", _encoder_configuration),
    (MEDIA, "GetCompatibleMetadataConfigurations"): _compatible("Metadata", _metadata_configuration),
    (MEDIA, "SetSynchronizationPoint"): _synchronised,
    (MEDIA, "GetMetadataConfigurations"): _metadata_configurations,
    (MEDIA, "GetMetadataConfiguration"): _metadata_configuration_named,
    (MEDIA, "GetMetadataConfigurationOptions"): _metadata_options,
    (MEDIA, "GetStreamUri"): _stream_uri,
    (MEDIA, "GetSnapshotUri"): _snapshot_uri,
}
