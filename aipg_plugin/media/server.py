"""The stream server: guarded MPEG-TS, MJPEG and JPEG over HTTP, H.264 over RTSP, in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import math
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiohttp import web
from aiohttp.http import HttpProcessingError

from aipg_plugin.errors import MediaError
from aipg_plugin.logs import RateLimit
from aipg_plugin.media import served
from aipg_plugin.media.admission import Admission, listen
from aipg_plugin.media.attempts import LoginAttempts
from aipg_plugin.media.auth import Authenticator, basic_ok
from aipg_plugin.media.encoded import EncodedStream
from aipg_plugin.media.fanout import set_from_thread
from aipg_plugin.media.rtsp import RtspServer
from aipg_plugin.options import Web

_log = logging.getLogger(__name__)
_SEND_S, _IDLE_S, _BODY_S = 10.0, 20.0, 30.0
_MJPEG_FPS = 10.0
_BOUNDARY = "aipgframe"

class _Malformed(logging.Filter):
    """Keeps what strangers send from filling the log: requests that are no HTTP are not worth a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError | ConnectionError)


_http_log = logging.getLogger(__name__ + ".http")
_http_log.addFilter(_Malformed())
_http_log.addFilter(RateLimit())
_NO_CACHE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Extend = Callable[[web.Application], None]
ADMITTED = "aipg.admitted"  # a request that a middleware of `extend` has let in needs no Basic log-in


@dataclass(frozen=True)
class Served:
    """A stream and over what it is served."""

    stream: EncodedStream
    http: bool
    rtsp: bool


class StreamServer:
    """Serves every published stream until `close`.

    `http://host:port/streams/<name>.ts`, `.mjpeg` (`?width=480&fps=5`), `.jpg` (`?width=480`), `/` lists them,
    `/health` answers without a password, with 503 while something is wrong; `rtsp://host:rtsp_port/<name>`. `extend`
    adds pages to the same application before it starts: it then owns `/`, and its middlewares may set
    `request[ADMITTED]`. Ports of 0 are chosen by the system; `port` and `rtsp_port` tell which.
    """

    def __init__(self, options: Web, *, extend: Extend | None = None,
                 health: Callable[[], tuple[bool, str]] = lambda: (True, "ok")) -> None:
        self._options = options
        self._extend = extend
        self._healthy = health
        self._http: dict[str, EncodedStream] = {}
        self._rtsp: dict[str, EncodedStream] = {}
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._stopping = asyncio.Event()
        self._admission = Admission()
        self._attempts = LoginAttempts()
        self.port = options.port
        self.rtsp_port = options.rtsp_port

    def start(self) -> StreamServer:
        """Listen on both ports. Raises MediaError if one is taken."""
        ready: list[OSError | None] = []
        event = threading.Event()

        def told(error: OSError | None) -> None:
            ready.append(error)
            event.set()

        self._thread = threading.Thread(target=self._run, args=(told,), daemon=True, name="aipg-streams")
        self._thread.start()
        event.wait()
        if ready[0] is not None:
            raise MediaError("cannot serve on {host} ports {port} and {rtsp_port}: {why}", path="web.port",
                             cure="Choose free ports in web.port and web.rtsp_port", host=self._options.host,
                             port=self._options.port, rtsp_port=self._options.rtsp_port, why=ready[0].strerror or "")
        return self

    def publish(self, stream: EncodedStream, *, http: bool, rtsp: bool) -> None:
        """Serve a stream under its name. Any thread."""
        if http:
            self._http[stream.name] = stream
        if rtsp:
            self._rtsp[stream.name] = stream

    def withdraw(self, stream: EncodedStream) -> None:
        """Serve it no more. Any thread."""
        for table in (self._http, self._rtsp):
            if table.get(stream.name) is stream:
                del table[stream.name]

    def served(self, name: str) -> Served | None:
        """The stream served under a name; None when there is none. Any thread."""
        stream = self._http.get(name) or self._rtsp.get(name)
        return None if stream is None else Served(stream, http=name in self._http, rtsp=name in self._rtsp)

    def forget_clear(self) -> None:
        """Serve no stills that left while a guard was off: it may be on now. Any thread."""
        for stream in {*self._http.values(), *self._rtsp.values()}:
            stream.forget_clear()

    def http_url(self, name: str, kind: str = "ts") -> str:
        """Address of a stream over HTTP; `kind` is ts, mjpeg or jpg."""
        return served.http_url(self._options.host, self.port, name, kind)

    def rtsp_url(self, name: str) -> str:
        """Address of a stream over RTSP."""
        return served.rtsp_url(self._options.host, self.rtsp_port, name)

    def close(self) -> None:
        """Cut all clients and free the ports. Safe to call twice."""
        if self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10.0)
        self._thread = None

    def _run(self, told: Callable[[OSError | None], None]) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(ThreadPoolExecutor(32, "aipg-jpeg"))
        self._loop.run_until_complete(self._serve(told))
        self._loop.close()

    async def _serve(self, told: Callable[[OSError | None], None]) -> None:
        options = self._options
        authenticator = (Authenticator(options.username, options.password or "", self._attempts)
                         if options.username else None)
        rtsp = RtspServer(self._rtsp.get, authenticator, self._admission, metadata=options.onvif)
        runner = web.AppRunner(self.application(), handle_signals=False, access_log=None, shutdown_timeout=1.0,
                               keepalive_timeout=_IDLE_S, logger=_http_log)
        listeners: list[socket.socket] = []
        await runner.setup()
        try:
            listeners = listen(options.host, options.port)
            self.port = int(listeners[0].getsockname()[1])
            self.rtsp_port = rtsp.start(options.host, options.rtsp_port)
        except OSError as error:
            for listener in listeners:
                listener.close()
            await runner.cleanup()
            told(error)
            return
        assert runner.server is not None
        tasks = [asyncio.ensure_future(self._admission.accept(listener, runner.server)) for listener in listeners]
        tasks.append(asyncio.ensure_future(self._admission.cut_stuck()))
        told(None)
        await self._stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in listeners:
            listener.close()
        await rtsp.stop()
        await runner.cleanup()

    def application(self) -> web.Application:
        """The aiohttp application with all routes."""
        app = web.Application(middlewares=[self._authenticate])
        if self._extend is None:
            app.router.add_get("/", self._index)
        app.router.add_get("/health", self._health)
        for kind, handler in zip(served.HTTP_KINDS, (self._ts, self._mjpeg, self._jpg), strict=True):
            app.router.add_get(served.http_path("{name:.+}", kind), handler)
        if self._extend is not None:
            self._extend(app)
        return app

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        user, password = self._options.username, self._options.password or ""
        given = request.headers.get("Authorization", "")
        open_to_all = request.path == "/health" or request.get(ADMITTED, False)
        if user and not open_to_all:
            address = request.remote or ""
            wait_s = self._attempts.wait_s(address) if given else 0.0
            if wait_s > 0:
                return web.Response(status=429, text="429: too many wrong passwords\n",
                                    headers={"Retry-After": str(int(wait_s) + 1)})
            if not basic_ok(given, user, password):
                if given:
                    self._attempts.failed(self._attempts.begin(address, given))
                return web.Response(status=401, text="401: user name and password needed\n",
                                    headers={"WWW-Authenticate": 'Basic realm="aipg", charset="UTF-8"'})
        if not request.body_exists:
            return await handler(request)
        try:
            async with asyncio.timeout(_BODY_S):
                return await handler(request)
        except TimeoutError:
            raise web.HTTPRequestTimeout(text="408: the request did not come to its end\n") from None

    def _stream(self, request: web.Request) -> EncodedStream:
        stream = self._http.get(request.match_info["name"])
        if stream is None:
            raise web.HTTPNotFound(text="404: no such stream; / lists them\n")
        return stream

    async def _health(self, _request: web.Request) -> web.Response:
        ok, state = self._healthy()
        return web.json_response({"status": "ok" if ok else state}, status=200 if ok else 503)

    async def _ts(self, request: web.Request) -> web.StreamResponse:
        stream, loop, event = self._stream(request), asyncio.get_running_loop(), asyncio.Event()
        response = web.StreamResponse(headers={"Content-Type": "video/mp2t", **_NO_CACHE})
        await response.prepare(request)
        subscription = stream.subscribe(stream.ts, lambda: set_from_thread(loop, event))
        try:
            while not subscription.closed:
                await event.wait()
                event.clear()
                for chunk in subscription.take():
                    await asyncio.wait_for(response.write(chunk.data), _SEND_S)
        except (OSError, TimeoutError):
            _log.debug("%s: an HTTP client went away", stream.name)
        finally:
            stream.ts.remove(subscription)
            if subscription.overflowed:
                _log.info("%s: an HTTP client was too slow", stream.name)
        _cut(request)
        return response

    async def _mjpeg(self, request: web.Request) -> web.StreamResponse:
        stream = self._stream(request)
        width_px, fps = _number(request, "width", 0), min(max(_number(request, "fps", _MJPEG_FPS), 0.2), 30.0)
        response = web.StreamResponse(headers={
            "Content-Type": f"multipart/x-mixed-replace; boundary={_BOUNDARY}", **_NO_CACHE})
        await response.prepare(request)
        seen_s = 0.0
        with contextlib.suppress(OSError, TimeoutError):
            while self._http.get(stream.name) is stream:
                started_s = time.monotonic()
                seen_s, data = await asyncio.to_thread(stream.next_jpeg, seen_s, int(width_px))
                if data is not None:
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    await asyncio.wait_for(response.write(head.encode() + data + b"\r\n"), _SEND_S)
                await asyncio.sleep(max(0.0, 1 / fps - (time.monotonic() - started_s)))
        _cut(request)
        return response

    async def _jpg(self, request: web.Request) -> web.Response:
        stream = self._stream(request)
        data = await asyncio.to_thread(stream.jpeg, int(_number(request, "width", 0)))
        if data is None:
            raise web.HTTPServiceUnavailable(text="503: no picture yet\n")
        return web.Response(body=data, content_type="image/jpeg", headers=_NO_CACHE)

    async def _index(self, _request: web.Request) -> web.Response:
        cards = "".join(self._card(name) for name in sorted(self._http)) or "<p>No stream is served yet.</p>"
        return web.Response(text=_PAGE.format(cards=cards), content_type="text/html", headers=_NO_CACHE)

    def _card(self, name: str) -> str:
        safe = html.escape(name, quote=True)
        rtsp = f"<code>{html.escape(self.rtsp_url(name))}</code>" if name in self._rtsp else ""
        ts, mjpeg, jpg = (served.http_path(safe, kind) for kind in served.HTTP_KINDS)
        return (f'<figure><img src="{mjpeg}?width=640&amp;fps=5" alt="{safe}"><figcaption><b>{safe}</b> '
                f'<a href="{ts}">MPEG-TS</a> <a href="{mjpeg}">MJPEG</a> <a href="{jpg}">JPEG</a> '
                f'{rtsp}</figcaption></figure>')


def chained(extensions: Sequence[Extend]) -> Extend:
    """One extension that adds what several add, in this order."""
    def extend(app: web.Application) -> None:
        for each in extensions:
            each(app)

    return extend


def _number(request: web.Request, key: str, default: float) -> float:
    try:
        number = float(request.query.get(key, default))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise web.HTTPBadRequest(text=f"400: {key} must be a number\n")
    return min(number, 10_000.0)


def _cut(request: web.Request) -> None:
    """Close the connection without a last chunk to a client that may not read any more."""
    if request.transport is not None:
        request.transport.close()


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>AI Privacy Guard</title><style>
body{{font:16px system-ui,sans-serif;margin:2rem;background:#f4f5f7;color:#1c1e21}}
main{{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:1.5rem}}
figure{{margin:0;background:#fff;border-radius:.5rem;overflow:hidden;box-shadow:0 1px 4px #0002}}
img{{display:block;width:100%;background:#000;min-height:8rem}}figcaption{{padding:.75rem 1rem}}
code{{display:block;margin-top:.5rem;overflow-wrap:anywhere}}
@media(prefers-color-scheme:dark){{body{{background:#16181c;color:#e6e8eb}}figure{{background:#22252b}}a{{color:#8ab4f8}}}}
</style><h1>Guarded streams</h1><main>{cards}</main></html>
"""
