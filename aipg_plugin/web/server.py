"""Adds the pages to the stream server's application: guards every request, routes the API, serves static files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from aipg_plugin.errors import AipgError, HostError, MediaError, Problem, SettingsError
from aipg_plugin.facade import Facade
from aipg_plugin.facade.changes import ConflictError
from aipg_plugin.facade.history import EVERY_S
from aipg_plugin.facade.trial import refused
from aipg_plugin.media.served import HTTP_PREFIX
from aipg_plugin.media.server import ADMITTED
from aipg_plugin.options import Web
from aipg_plugin.resources import translator
from aipg_plugin.version import __version__
from aipg_plugin.web import assets
from aipg_plugin.web.access import Access
from aipg_plugin.web.api import Api
from aipg_plugin.web.live import LiveSocket
from aipg_plugin.web.routes import BadRequestError, Route, body_of, openapi, query_of

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_OPEN_PATHS = ("/health",)


def extended(app: web.Application, facade: Facade) -> None:
    """Add everything to `app`."""
    Pages(facade).add_to(app)


class Pages:
    """The pages of one app."""

    def __init__(self, facade: Facade) -> None:
        self._facade = facade
        self._access = Access()
        self._api = Api(facade, self._access)
        self._live = LiveSocket(facade)
        self._tasks: list[asyncio.Task[None]] = []

    def add_to(self, app: web.Application) -> None:
        """Routes, middleware, headers and background tasks."""
        app.middlewares.insert(0, self._guard)
        app.on_response_prepare.append(self._headers)
        app.on_startup.append(self._start)
        app.on_shutdown.append(self._stop)
        routes = self._api.routes()
        document = openapi(routes, __version__)
        for route in routes:
            app.router.add_route(route.method, route.path, self._handler(route))

        async def told(_request: web.Request) -> web.Response:
            return web.json_response(document)

        app.router.add_get("/api/openapi.json", told)
        app.router.add_get("/api/live", self._live.handle)
        app.router.add_route("*", "/api/{rest:.*}", self._unknown)
        assets.add_to(app)

    # -- every request ---------------------------------------------------------------------------------------------

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Host, origin and user of every request to this server; see `access.Access`."""
        options = self._facade.web
        if not self._access.host_allowed(request, options):
            return _refusal(421, "host", "the name {name} is not known to be this machine's", request,
                            path="web.allowed_hosts", name=request.host,
                            cure="Open the page by address, or add the name to web.allowed_hosts")
        user = self._access.user(request, options)
        if user is not None:
            request["user"] = user
            if self._access.login_needed(options):
                request[ADMITTED] = True
        if not request.path.startswith("/api/"):
            if not request.path.startswith(HTTP_PREFIX):
                request[ADMITTED] = True  # the page itself holds nothing secret; it asks for a log-in
            return await handler(request)
        request[ADMITTED] = True
        return await self._guard_api(request, handler, options)

    async def _guard_api(self, request: web.Request, handler: Handler, options: Web) -> web.StreamResponse:
        if not self._access.same_origin(request, options):
            return _refusal(403, "origin", "requests from other pages are refused", request)
        try:
            return await handler(request)
        except BadRequestError as error:
            return _refusal(400, "request", "{why}", request, why=str(error))
        except AipgError as error:
            status, kind = _kind_of(error)
            return _problems(status, kind, error.problems, request)

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            user = request.get("user")
            if route.role != "open":
                if user is None:
                    return _refusal(401, "login", "log in first", request)
                if not user.may(route.role):
                    return _refusal(403, "role", "only an admin may do this", request)
            if route.method != "GET" and not self._access.token_ok(request):
                return _refusal(403, "token", "the page is out of date", request, cure="Load it again")
            query = query_of(request, route.query)
            given = await body_of(request, route.body) if route.body is not None else query
            return await route.handler(request, given)

        return handle

    async def _unknown(self, request: web.Request) -> web.Response:
        known = {resource.canonical for resource in request.app.router.resources()} - {"/api/{rest}"}
        matching = [resource for resource in request.app.router.resources()
                    if resource.canonical in known and resource.get_info().get("path") == request.path]
        return _refusal(405 if matching else 404, "unknown", "there is no such operation", request)

    async def _headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Headers that keep browsers strict. Streams stay embeddable, as other programs show them."""
        ancestors = " ".join("'self'" if each == "self" else each for each in self._facade.web.frame_ancestors)
        headers = response.headers
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "no-referrer")
        if request.path.startswith(HTTP_PREFIX):
            return
        headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
            "manifest-src 'self'; form-action 'self'; base-uri 'none'; "
            f"frame-ancestors {ancestors or chr(39) + 'none' + chr(39)}")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        if request.path.startswith("/api/"):
            headers.setdefault("Cache-Control", "no-store")

    # -- background ------------------------------------------------------------------------------------------------

    async def _start(self, _app: web.Application) -> None:
        self._tasks = [asyncio.create_task(self._sample()), asyncio.create_task(self._live.run())]

    async def _stop(self, _app: web.Application) -> None:
        await self._live.close()
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                self._facade.sample()
            except Exception:
                _log.exception("pages: a sample of the statistics failed")


def _kind_of(error: AipgError) -> tuple[int, str]:
    """HTTP status and the word by which the page knows an error."""
    if isinstance(error, ConflictError):
        return 409, "conflict"
    if isinstance(error, SettingsError):
        return 422, "settings"
    if isinstance(error, HostError):
        return 404, "unknown"
    return 422, "unauthorised" if isinstance(error, MediaError) and refused(error) else "failed"


def _refusal(status: int, error: str, message: str, request: web.Request, *, path: str = "", cure: str = "",
             **params: object) -> web.Response:
    return _problems(status, error, (Problem(message, path=path, cure=cure, params=params),), request)


def _problems(status: int, error: str, problems: tuple[Problem, ...], request: web.Request) -> web.Response:
    translate = translator(request.headers.get("X-Language", "en"))
    told = [{"path": each.path, "message": translate(each.message).format(**each.params),
             "cure": translate(each.cure).format(**each.params), **({"line": each.line} if each.line else {})}
            for each in problems]
    return web.json_response({"error": error, "problems": told}, status=status)
