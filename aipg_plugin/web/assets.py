"""Static files of the pages, from memory: compressed once, with validators, never a path from outside."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from pathlib import Path

from aiohttp import web

_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
          ".js": "text/javascript; charset=utf-8", ".webmanifest": "application/manifest+json"}


def add_to(app: web.Application) -> None:
    """Serve `static/index.html` as `/` and the rest under `/static/`."""
    root = Path(str(files("aipg_plugin.web"))) / "static"
    for path in sorted(root.rglob("*")):
        if path.suffix in _TYPES:
            name = path.relative_to(root).as_posix()
            app.router.add_get("/" if name == "index.html" else f"/static/{name}", _Asset(path).handle)


class _Asset:
    def __init__(self, path: Path) -> None:
        self._plain = path.read_bytes()
        self._zipped = gzip.compress(self._plain, 9, mtime=0)
        self._type = _TYPES[path.suffix]
        self._tag = '"' + hashlib.sha256(self._plain).hexdigest()[:20] + '"'

    async def handle(self, request: web.Request) -> web.Response:
        """The file, or 304 when the browser has it."""
        headers = {"ETag": self._tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding",
                   "Content-Type": self._type}
        if self._tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self._zipped, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self._plain, headers=headers)
