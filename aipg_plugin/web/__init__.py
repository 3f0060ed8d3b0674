"""The pages: an HTTP/JSON API, a WebSocket for state and pictures, static files. Knows the app by its facade only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from aipg_plugin.facade import Facade
from aipg_plugin.web.server import extended

if TYPE_CHECKING:
    from aipg_plugin.app import App
    from aipg_plugin.media.server import Extend


def make_pages(app: App) -> Extend:
    """The page factory that an App is handed: adds the pages to its stream server."""
    facade = Facade(app)

    def extend(server: web.Application) -> None:
        extended(server, facade)

    return extend
