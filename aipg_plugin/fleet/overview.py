"""What a fleet looks like: one document for MQTT and `/fleet.json`, and a page that shows it."""

from __future__ import annotations

import html
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from aipg_plugin.app import App
from aipg_plugin.fleet.nodes import CarrierLink
from aipg_plugin.media import served
from aipg_plugin.options import SERVED_KINDS, Camera, OutputKind, Stream
from aipg_plugin.options import Web as WebOptions
from aipg_plugin.resources import text

if TYPE_CHECKING:
    from aipg_plugin.media.server import Extend

Document = dict[str, Any]


def overview(app: App, links: Sequence[CarrierLink], homes: Mapping[str, CarrierLink], costs: Mapping[str, float],
             why: Mapping[str, str]) -> Document:
    """Nodes with their load, and every enabled camera with its node, states and addresses. No secrets."""
    nodes = [{"name": link.node.name, "ip": link.node.ip, "cores": link.node.cores, "in_use": round(link.cores, 1),
              "ready": link.ready, "cameras": list(link.cameras)} for link in links]
    cameras = {}
    for camera in app.settings.cameras:
        if camera.enabled:
            home = homes.get(camera.id)
            cameras[camera.id] = {
                "node": None if home is None else home.node.name, "reason": why.get(camera.id, ""),
                "cores": round(costs[camera.id], 2) if camera.id in costs else None,
                "streams": {stream.id: _stream(app, camera, stream) for stream in camera.streams}}
    return {"nodes": sorted(nodes, key=lambda each: (str(each["ip"]), str(each["name"]))), "cameras": cameras}


def _stream(app: App, camera: Camera, stream: Stream) -> Document:
    status = app.statuses.get(camera.id, stream.id)
    return {"state": "starting" if status is None else str(status.state), "addresses": addresses(app, camera, stream)}


def addresses(app: App, camera: Camera, stream: Stream) -> list[str]:
    """Where the coordinator serves a stream, whichever node carries it."""
    kinds = {output.kind for output in stream.outputs} & SERVED_KINDS
    options, server, name = app.settings.web, app.server, served.stream_name(camera.id, stream.id)
    if server is None:
        return []
    host = public_host(options)
    found = [served.http_url(host, server.port, name, "ts")] if OutputKind.HTTP in kinds else []
    return found + ([served.rtsp_url(host, server.rtsp_port, name)] if OutputKind.RTSP_SERVE in kinds else [])


def public_host(options: WebOptions) -> str:
    """The name under which others reach this machine."""
    return socket.gethostname() if options.host in ("0.0.0.0", "::") else options.host


def page_of(document: Callable[[], Document], language: str) -> Extend:
    """Adds the page at `/` and the document at `/fleet.json` to a stream server."""
    async def as_page(_: web.Request) -> web.Response:
        return web.Response(text=rendered(document(), language), content_type="text/html", headers=_HEADERS)

    async def as_json(_: web.Request) -> web.Response:
        return web.json_response(document(), headers=_HEADERS, dumps=lambda each: json.dumps(each, ensure_ascii=False))

    def extend(app: web.Application) -> None:
        app.router.add_get("/", as_page)
        app.router.add_get("/fleet.json", as_json)

    return extend


def rendered(document: Document, language: str) -> str:
    """The document as a page."""
    def say(key: str) -> str:
        return html.escape(text(f"fleet.{key}", language))

    nodes = "".join(_row(node["name"], node["ip"], f"{node['in_use']:g} / {node['cores']:g}",
                         ", ".join(node["cameras"])) for node in document["nodes"])
    cameras = "".join(_camera_row(camera, stream, entry, each) for camera, entry in document["cameras"].items()
                      for stream, each in entry["streams"].items())
    return _PAGE.format(language=html.escape(language), title=say("title"), nodes=say("nodes"), cameras=say("cameras"),
                        node=say("node"), address=say("address"), cores=say("cores"), camera=say("camera"),
                        state=say("state"), node_rows=nodes, camera_rows=cameras)


def _camera_row(camera: str, stream: str, entry: Document, each: Document) -> str:
    path = html.escape(served.http_path(served.stream_name(camera, stream), "jpg"), quote=True)
    picture = f'<img src="{path}?width=320" alt="">' if any(".ts" in url for url in each["addresses"]) else ""
    where = "<br>".join(f"<code>{html.escape(url)}</code>" for url in each["addresses"])
    state = html.escape(each["state"] + (f" ({entry['reason']})" if entry["reason"] else ""))
    return (f"<tr><td>{html.escape(camera)}/{html.escape(stream)}<td>{html.escape(entry['node'] or '–')}<td>{state}"
            f"<td>{where}<td>{picture}")


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells)


_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5"><title>{title}</title><style>
body{{font:16px system-ui,sans-serif;margin:2rem;background:#f4f5f7;color:#1c1e21}}
table{{border-collapse:collapse;width:100%;background:#fff;margin-bottom:2rem}}
th,td{{text-align:left;padding:.5rem .75rem;border-bottom:1px solid #8884;vertical-align:top}}
img{{width:10rem;background:#000;min-height:4rem}}
@media(prefers-color-scheme:dark){{body{{background:#16181c;color:#e6e8eb}}table{{background:#22252b}}}}
</style><h1>{title}</h1><h2>{nodes}</h2><table><tr><th>{node}<th>{address}<th>{cores}<th>{cameras}{node_rows}</table>
<h2>{cameras}</h2><table><tr><th>{camera}<th>{node}<th>{state}<th>{address}<th>{camera_rows}</table></html>
"""
