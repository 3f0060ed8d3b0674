"""The operations of the HTTP API. Each is one method; `routes` declares them all."""

from __future__ import annotations

import asyncio
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from aiohttp import web

from aipg_plugin.errors import AipgError, HostError, Problem, SettingsError
from aipg_plugin.facade import Facade
from aipg_plugin.facade.changes import Difference, SettingEdit
from aipg_plugin.facade.trial import webcams
from aipg_plugin.resources import translator
from aipg_plugin.version import __version__
from aipg_plugin.web import forms
from aipg_plugin.web.access import COOKIE, Access, User
from aipg_plugin.web.routes import BadRequestError, Json, Route, listed, table, text

_VALUE: Json = {}
_CHANGES = listed(table(("path", "value"), path=text(300), value=_VALUE, before=_VALUE), most=500)
_WIDTH: Json = {"type": "integer", "minimum": 16, "maximum": 4096}
_POINTS: Json = {"type": "array", "minItems": 3, "maxItems": 64, "items": {
    "type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "number", "minimum": -1, "maximum": 2}}}
_LICENSED = ("numpy", "opencv-python-headless", "onnxruntime", "av", "paho-mqtt", "amqtt", "voluptuous", "PyYAML",
             "ruamel.yaml", "aiohttp", "argon2-cffi", "tqdm")


class Api:
    """Handlers over a facade. Whatever may wait runs in a thread."""

    def __init__(self, facade: Facade, access: Access) -> None:
        self._facade = facade
        self._access = access

    def routes(self) -> tuple[Route, ...]:
        """Every operation."""
        language = {"language": text(8)}
        where = "/api/cameras/{camera}/streams/{stream}"
        return (
            Route("GET", "/api/session", "Who is logged in, and the token for changes", self.session, "open"),
            Route("POST", "/api/session", "Log in", self.log_in, "open", statuses=(429,),
                  body=table(("user", "password"), user=text(100), password=text(1024))),
            Route("DELETE", "/api/session", "Log out", self.log_out, "open"),
            Route("GET", "/api/strings", "Texts of the pages", self.strings, "open", query=language),
            Route("GET", "/api/settings", "Every setting in force, secrets hidden", self.settings),
            Route("GET", "/api/forms", "Every setting described, for forms", self.forms, query=language),
            Route("POST", "/api/changes/preview", "What a change would alter", self.preview, "admin",
                  statuses=(409, 422), body=table(("changes",), changes=_CHANGES)),
            Route("POST", "/api/changes", "Put a change in force and write it down", self.change, "admin",
                  statuses=(409, 422, 428), body=table(("changes",), changes=_CHANGES, confirmed={"type": "boolean"})),
            Route("GET", "/api/state", "What every stream does now", self.state),
            Route("GET", where + "/picture.jpg", "The newest guarded picture", self.picture, gives="image/jpeg",
                  query={"width": _WIDTH}, statuses=(404, 503)),
            Route("GET", where + "/overlays", "Lens circle and people of the expected size", self.overlays,
                  query={"height": {"type": "number", "minimum": 2.0, "maximum": 6.0}}, statuses=(404,)),
            Route("POST", where + "/elsewhere", "An area as the other streams show it", self.elsewhere,
                  body=table(("points",), points=_POINTS), statuses=(404,)),
            Route("GET", where + "/history", "The last hour in numbers", self.history, statuses=(404,)),
            Route("GET", "/api/cameras/{camera}/floor", "Heat map and areas over the floor", self.floor),
            Route("GET", "/api/cameras/{camera}/people", "Upright boxes of who is tracked now", self.people,
                  statuses=(404,)),
            Route("POST", "/api/trials", "Try a camera that is not saved yet", self.trial, "admin", statuses=(422,),
                  body=table(("camera",), camera={"type": "object"})),
            Route("GET", "/api/trials/{trial}.jpg", "The guarded picture of a trial", self.trial_picture, "admin",
                  gives="image/jpeg", statuses=(404,)),
            Route("GET", "/api/webcams", "Webcams of this machine", self.webcams, "admin"),
            Route("POST", "/api/clone", "Give cameras the settings of another", self.clone, "admin",
                  statuses=(404, 422, 428),
                  body=table(("source", "targets", "parts"), source=text(64), targets=listed(text(64)),
                             parts=listed({"type": "string", "enum": ["guard", "mount", "areas"]}),
                             confirmed={"type": "boolean"})),
            Route("GET", "/api/file", "The settings file, secrets hidden", self.export, "admin", gives="text/yaml"),
            Route("POST", "/api/file/preview", "What an imported file would alter", self.import_preview, "admin",
                  statuses=(422,), body=table(("text",), text=text(900_000))),
            Route("POST", "/api/file", "Import a settings file", self.import_file, "admin", statuses=(422, 428),
                  body=table(("text",), text=text(900_000), confirmed={"type": "boolean"})),
            Route("GET", "/api/events", "The last events and changes", self.events),
            Route("GET", "/api/system", "Version, detector, licences", self.system),
            Route("GET", "/api/diagnostics", "Numbers for a support request, nothing personal", self.diagnostics,
                  "admin"),
            Route("POST", "/api/mqtt/test", "Connect to a broker for a moment", self.mqtt_test, "admin",
                  statuses=(422,), body=table(("mqtt",), mqtt={"type": "object"})),
        )

    # -- session ---------------------------------------------------------------------------------------------------

    async def session(self, request: web.Request, _query: Json) -> web.Response:
        """Who is logged in."""
        user = request.get("user")
        return web.json_response({
            "user": user.name if user else None, "role": user.role if user else None,
            "login_needed": user is None, "can_log_out": bool(request.cookies.get(COOKIE)) and user is not None,
            "token": self._access.token(request), "languages": list(forms.languages()),
            "language": self._facade.language, "version": __version__})

    async def log_in(self, request: web.Request, body: Json) -> web.Response:
        """Log in; failures slow down further attempts from the same address."""
        address = request.remote or ""
        wait_s = self._access.attempts.wait_s(address)
        if wait_s > 0:
            return web.json_response({"error": "slow", "problems": [], "wait_s": round(wait_s, 1)}, status=429,
                                     headers={"Retry-After": str(int(wait_s) + 1)})
        attempt = self._access.attempts.begin(address, f"{body['user']}\0{body['password']}")
        found = await asyncio.to_thread(self._access.log_in, body["user"], body["password"], self._facade.web)
        if found is None:
            self._access.attempts.failed(attempt)
            self._facade.journal.add("login", "page", who=body["user"][:100], text="failed")
            return web.json_response({"error": "password", "problems": []}, status=401)
        self._access.attempts.succeeded(attempt)
        user, cookie = found
        self._facade.journal.add("login", "page", who=user.name, text="logged in")
        response = web.json_response({"user": user.name, "role": user.role})
        forwarded = request.headers.get("X-Forwarded-Proto") if self._access.proxied(request, self._facade.web) else ""
        response.set_cookie(COOKIE, cookie, httponly=True, samesite="Strict", path=_cookie_path(request),
                            secure=request.secure or forwarded == "https")
        return response

    async def log_out(self, request: web.Request, _query: Json) -> web.Response:
        """Log out."""
        self._access.log_out(request)
        response = web.json_response({})
        response.del_cookie(COOKIE, path=_cookie_path(request), httponly=True, samesite="Strict")
        return response

    # -- texts and settings ----------------------------------------------------------------------------------------

    async def strings(self, _request: web.Request, query: Json) -> web.Response:
        """Texts of the pages."""
        return web.json_response(forms.strings(query.get("language", "en")))

    async def forms(self, _request: web.Request, query: Json) -> web.Response:
        """Every setting described."""
        return web.json_response(forms.forms(query.get("language", "en")))

    async def settings(self, request: web.Request, _query: Json) -> web.Response:
        """Every setting in force."""
        found = self._facade.settings_json()
        translate = translator(request.headers.get("X-Language", "en"))
        for warning in found["warnings"]:
            params = warning.pop("params")
            warning.update(message=translate(warning["message"]).format(**params),
                           cure=translate(warning["cure"]).format(**params))
        return web.json_response(found)

    async def preview(self, _request: web.Request, body: Json) -> web.Response:
        """What a change would alter."""
        found = await asyncio.to_thread(self._facade.preview, _changes(body["changes"]))
        return web.json_response({"differences": [_difference(each) for each in found]})

    async def change(self, request: web.Request, body: Json) -> web.Response:
        """Put a change in force."""
        return await self._apply(request, _changes(body["changes"]), confirmed=body.get("confirmed", False))

    async def _apply(self, request: web.Request, changes: list[SettingEdit], *, confirmed: bool) -> web.Response:
        """Changes that weaken protection are asked about once (428) unless confirmed."""
        found = await asyncio.to_thread(self._facade.preview, changes)
        if any(each.weakens for each in found) and not confirmed:
            return web.json_response({"error": "confirm", "problems": [],
                                      "differences": [_difference(each) for each in found]}, status=428)
        unwritten = await asyncio.to_thread(lambda: self._facade.apply(changes, who=_who(request)))
        return web.json_response({"revision": self._facade.revision(),
                                  "differences": [_difference(each) for each in found],
                                  "unwritten": _told(unwritten.problems, request) if unwritten else []})

    async def clone(self, request: web.Request, body: Json) -> web.Response:
        """Give cameras the settings of another; one result each, so that one failure stops no other."""
        sets = [(target, self._facade.clone_changes(body["source"], target, body["parts"]))
                for target in body["targets"]]
        previews = []
        results = []
        for target, changes in sets:
            try:
                previews += await asyncio.to_thread(self._facade.preview, changes)
            except SettingsError as error:
                results.append({"camera": target, "ok": False, "problems": _told(error.problems, request)})
        if any(each.weakens for each in previews) and not body.get("confirmed", False):
            return web.json_response({"error": "confirm", "problems": [],
                                      "differences": [_difference(each) for each in previews]}, status=428)
        failed = {result["camera"] for result in results}
        for target, changes in sets:
            if target in failed:
                continue
            try:
                unwritten = await asyncio.to_thread(self._facade.apply, changes, who=_who(request))
                problems = _told(unwritten.problems, request) if unwritten else []
                results.append({"camera": target, "ok": not problems, "problems": problems})
            except AipgError as error:
                results.append({"camera": target, "ok": False, "problems": _told(error.problems, request)})
        return web.json_response({"results": results})

    async def export(self, _request: web.Request, _query: Json) -> web.Response:
        """The settings file."""
        return web.Response(text=await asyncio.to_thread(self._facade.export_text), content_type="text/yaml",
                            headers={"Content-Disposition": 'attachment; filename="aipg.yaml"'})

    async def import_preview(self, _request: web.Request, body: Json) -> web.Response:
        """What an imported file would alter."""
        changes = await asyncio.to_thread(self._facade.import_changes, body["text"])
        found = await asyncio.to_thread(self._facade.preview, changes)
        return web.json_response({"differences": [_difference(each) for each in found]})

    async def import_file(self, request: web.Request, body: Json) -> web.Response:
        """Import a settings file."""
        changes = await asyncio.to_thread(self._facade.import_changes, body["text"])
        return await self._apply(request, changes, confirmed=body.get("confirmed", False))

    # -- watch -----------------------------------------------------------------------------------------------------

    async def state(self, _request: web.Request, _query: Json) -> web.Response:
        """What every stream does now."""
        return web.json_response(await asyncio.to_thread(self._facade.state_json))

    async def picture(self, request: web.Request, query: Json) -> web.Response:
        """The newest guarded picture."""
        key = self._key(request)
        still = await asyncio.to_thread(self._facade.pictures.wait, key, query.get("width", 1280))
        if still is None:
            raise web.HTTPServiceUnavailable(text='{"error": "no picture", "problems": []}',
                                             content_type="application/json")
        return web.Response(body=still.jpeg, content_type="image/jpeg")

    async def overlays(self, request: web.Request, query: Json) -> web.Response:
        """Lens circle and expected figures."""
        found = await asyncio.to_thread(self._facade.overlays_json, *self._key(request), query.get("height"))
        return web.json_response(found)

    async def elsewhere(self, request: web.Request, body: Json) -> web.Response:
        """An area in the other streams."""
        found = await asyncio.to_thread(self._facade.area_elsewhere_json, *self._key(request), body["points"])
        return web.json_response(found)

    async def history(self, request: web.Request, _query: Json) -> web.Response:
        """The last hour."""
        return web.json_response(self._facade.history.as_json(*self._key(request)))

    async def floor(self, request: web.Request, _query: Json) -> web.Response:
        """Heat map and areas."""
        return web.json_response(self._facade.history.floor_json(request.match_info["camera"]))

    async def people(self, request: web.Request, _query: Json) -> web.Response:
        """Who is there now."""
        return web.json_response(await asyncio.to_thread(self._facade.people_json, request.match_info["camera"]))

    async def events(self, _request: web.Request, _query: Json) -> web.Response:
        """The journal."""
        return web.json_response([entry.as_json() for entry in self._facade.journal.since()])

    def _key(self, request: web.Request) -> tuple[str, str]:
        camera, stream = request.match_info["camera"], request.match_info["stream"]
        if not self._facade.has_stream(camera, stream):
            raise HostError("there is no stream {stream} of a camera {camera}", camera=camera, stream=stream)
        return camera, stream

    # -- try -------------------------------------------------------------------------------------------------------

    async def trial(self, _request: web.Request, body: Json) -> web.Response:
        """Try a camera."""
        found = await asyncio.to_thread(self._facade.try_camera, body["camera"])
        return web.json_response(found.as_json())

    async def trial_picture(self, request: web.Request, _query: Json) -> web.Response:
        """The guarded picture of a trial."""
        jpeg = self._facade.trials.picture(request.match_info["trial"])
        if jpeg is None:
            raise HostError("this trial is over", cure="Try the camera again")
        return web.Response(body=jpeg, content_type="image/jpeg")

    async def webcams(self, _request: web.Request, _query: Json) -> web.Response:
        """Webcams of this machine."""
        return web.json_response(await asyncio.to_thread(webcams))

    async def system(self, _request: web.Request, _query: Json) -> web.Response:
        """Version, detector, licences."""
        return web.json_response({**self._facade.system_json(), "packages": _packages()})

    async def diagnostics(self, _request: web.Request, _query: Json) -> web.Response:
        """Numbers for a support request."""
        found = await asyncio.to_thread(self._facade.diagnostics_json)
        return web.json_response({**found, "packages": _packages()},
                                 headers={"Content-Disposition": 'attachment; filename="aipg-diagnostics.json"'})

    async def mqtt_test(self, _request: web.Request, body: Json) -> web.Response:
        """Connect to a broker."""
        return web.json_response({"address": await asyncio.to_thread(self._facade.try_mqtt, body["mqtt"])})


def _changes(given: list[Json]) -> list[SettingEdit]:
    for each in given:
        if not each["path"] or ".." in each["path"]:
            raise BadRequestError("a change needs a path")
    return [SettingEdit(each["path"], each["value"], each.get("before"), "before" in each) for each in given]


def _difference(each: Difference) -> Json:
    return {"path": each.path, "before": each.before, "after": each.after, "weakens": each.weakens,
            "restart": each.restart}


def _told(problems: tuple[Problem, ...], request: web.Request) -> list[Json]:
    translate = translator(request.headers.get("X-Language", "en"))
    return [{"path": each.path, "message": translate(each.message).format(**each.params),
             "cure": translate(each.cure).format(**each.params)} for each in problems]


def _who(request: web.Request) -> str:
    user: User = request["user"]
    return user.name


def _cookie_path(request: web.Request) -> str:
    """Cookies belong to the path that a proxy shows the pages under."""
    path = request.headers.get("X-Ingress-Path", "")
    safe = path.startswith("/") and all(char.isalnum() or char in "/_-." for char in path) and len(path) < 200
    return path.rstrip("/") + "/" if safe else "/"


def _packages() -> list[dict[str, Any]]:
    found = []
    for name in _LICENSED:
        try:
            found.append({"name": name, "version": version(name)})
        except PackageNotFoundError:
            continue
    return found



