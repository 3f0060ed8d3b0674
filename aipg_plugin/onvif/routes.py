"""The ONVIF services on the stream server: one device for each camera that is served over RTSP."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from aipg_plugin.app import App
from aipg_plugin.errors import HostError
from aipg_plugin.media.served import http_url, rtsp_url, stream_name
from aipg_plugin.media.server import ADMITTED, Extend, StreamServer
from aipg_plugin.onvif import soap
from aipg_plugin.onvif.device import OPEN_OPERATIONS, OnvifDevice, OnvifStream, answer
from aipg_plugin.onvif.discovery import Discovery, own_address
from aipg_plugin.onvif.login import TokenCheck
from aipg_plugin.onvif.metadata import PeopleMetadata, has_metadata
from aipg_plugin.options import Camera, Settings

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_onvif(app: App) -> Extend:
    """What adds the services of `app`'s cameras to the stream server, and answers discovery while it runs.

    From then on the app tells metadata of people.
    """
    service = OnvifService(lambda: app.settings, lambda: app.server)
    app.watchers.append(PeopleMetadata(lambda: app.settings, lambda: app.server))
    return service.extend


class OnvifService:
    """SOAP over HTTP, for one device a camera and one for all of them.

    Discovery tells of `/onvif/<camera>/device_service`; clients that are given an address and a port look at
    `/onvif/device_service`, which has the streams of all cameras.
    """

    def __init__(self, settings: Callable[[], Settings], server: Callable[[], StreamServer | None], *,
                 discovery: bool = True) -> None:
        self._settings, self._server = settings, server
        options = settings().web
        self._login = TokenCheck(options.username, options.password or "") if options.username else None
        self._discovery = Discovery(self._reached_from) if discovery else None

    def extend(self, application: web.Application) -> None:
        """Add the routes; they check their own login, which SOAP carries in the message."""
        application.middlewares.insert(0, _admit)
        for name in ("device_service", "media_service"):
            application.router.add_post(f"/onvif/{name}", self._serve)
            application.router.add_post(f"/onvif/{{camera}}/{name}", self._serve)
        application.on_startup.append(self._start)
        application.on_cleanup.append(self._stop)

    def device(self, camera_id: str | None, host: str) -> OnvifDevice | None:
        """A camera as a client reaches it at `host`, or with None all of them; None unless one is served over RTSP."""
        server, settings = self._server(), self._settings()
        cameras = [camera for camera in settings.cameras if camera.enabled and camera_id in (None, camera.id)]
        if server is None or not cameras:
            return None
        name = f"[{host}]" if ":" in host else host
        streams = [found for camera in cameras for stream in camera.streams
                   if (found := _stream(server, name, camera, stream.id)) is not None]
        if not streams:
            return None
        base = f"http://{name}:{server.port}/onvif"
        if camera_id is None:
            return OnvifDevice("", settings.instance_id, settings.instance_id, base, tuple(streams))
        title = cameras[0].name or camera_id
        return OnvifDevice(camera_id, title, settings.instance_id, f"{base}/{camera_id}", tuple(streams))

    def _reached_from(self, address: str) -> list[OnvifDevice]:
        host = own_address(address)
        found = (self.device(camera.id, host) for camera in self._settings().cameras)
        return [device for device in found if device is not None]

    async def _serve(self, request: web.Request) -> web.Response:
        device = self.device(request.match_info.get("camera"), request.url.host or "127.0.0.1")
        if device is None:
            raise web.HTTPNotFound(text="404: no such camera is served over RTSP\n")
        try:
            asked = soap.parse(await request.read())
        except HostError as error:
            return _answered(soap.fault("Sender", "ter:WellFormed", error.text()), 400)
        if self._login is not None and asked.operation not in OPEN_OPERATIONS \
                and not self._login.ok(asked.token, datetime.now(UTC)):
            return _answered(soap.fault("Sender", "ter:NotAuthorized", "user name and password needed"), 401)
        try:
            body = answer(device, asked)
        except KeyError:
            return _answered(soap.fault("Sender", "ter:InvalidArgVal", "no such profile or address"), 400)
        if body is None:
            return _answered(soap.fault("Receiver", "ter:ActionNotSupported", f"no {asked.operation} here"), 500)
        return _answered(soap.response(body), 200)

    async def _start(self, _application: web.Application) -> None:
        if self._discovery is None:
            return
        try:
            await self._discovery.start()
        except OSError as error:
            _log.warning("cameras are not announced, add them by address: %s", error.strerror)
            self._discovery = None

    async def _stop(self, _application: web.Application) -> None:
        if self._discovery is not None:
            self._discovery.stop()


def _stream(server: StreamServer, host: str, camera: Camera, stream_id: str) -> OnvifStream | None:
    path = stream_name(camera.id, stream_id)
    served = server.served(path)
    if served is None or not served.rtsp:
        return None
    metadata = has_metadata(camera, stream_id)
    return OnvifStream(token=f"{camera.id}_{stream_id}", size_wh=served.stream.encoded_size_wh,
                       fps=served.stream.info.fps or 25.0, metadata=metadata,
                       want_key_frame=served.stream.want_key_frame,
                       rtsp_url=rtsp_url(host, server.rtsp_port, path, metadata=metadata),
                       snapshot_url=http_url(host, server.port, path, "jpg") if served.http else "")


@web.middleware
async def _admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path.startswith("/onvif/"):
        request[ADMITTED] = True
    return await handler(request)


def _answered(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": soap.CONTENT_TYPE})
