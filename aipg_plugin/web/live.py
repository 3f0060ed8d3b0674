"""State and guarded pictures over one WebSocket per page.

The page sends `{"watch": [{"camera", "stream", "width", "fps"}, …]}`. It gets text messages `{"type": "state", …}` and
`{"type": "events", "entries": […]}`, and binary ones: a big-endian uint32 length, that many bytes of JSON (`camera`,
`stream`, `size_wh`, `t_s` and `left_s`: when the frame came and left the guard, `state`), and a JPEG.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from aipg_plugin.facade import Facade
from aipg_plugin.facade.pictures import Key
from aipg_plugin.media.fanout import set_from_thread
from aipg_plugin.web.access import User
from aipg_plugin.web.routes import BadRequestError, check, listed, table, text

_MOST_SOCKETS = 60
_STATE_S = 1.0
_SEND_S = 10.0
_WATCH = table(("watch",), watch=listed(table(
    ("camera", "stream"), camera=text(64), stream=text(64), width={"type": "integer", "minimum": 16, "maximum": 4096},
    fps={"type": "number", "minimum": 0.1, "maximum": 30}), most=64))


@dataclass
class _Wish:
    width: int
    period_s: float
    seq: int = 0
    sent_s: float = 0.0


@dataclass(eq=False)
class _Client:
    socket: web.WebSocketResponse
    wishes: dict[Key, _Wish] = field(default_factory=dict)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    journal_seq: int = 0


class LiveSocket:
    """All open WebSockets. State is computed once for all of them."""

    def __init__(self, facade: Facade) -> None:
        self._facade = facade
        self._clients: set[_Client] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        facade.pictures.on_new = self._came

    def _came(self, key: Key) -> None:
        """A new picture; called on the stream's thread."""
        loop = self._loop
        if loop is not None:
            for client in tuple(self._clients):
                if key in client.wishes:
                    set_from_thread(loop, client.wake)

    async def run(self) -> None:
        """Tell state every second, while anybody listens."""
        self._loop = asyncio.get_running_loop()
        told, told_s = "", 0.0
        while True:
            await asyncio.sleep(_STATE_S)
            if not self._clients:
                told = ""
                continue
            state = await asyncio.to_thread(self._facade.state_json)
            text_now = json.dumps({"type": "state", **state})
            if text_now == told and time.monotonic() - told_s < 5.0:
                continue
            told, told_s = text_now, time.monotonic()
            await asyncio.gather(*(self._tell(client, text_now) for client in tuple(self._clients)))

    async def _tell(self, client: _Client, state: str) -> None:
        entries = self._facade.journal.since(client.journal_seq)[-50:]
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            await asyncio.wait_for(client.socket.send_str(state), _SEND_S)
            if entries:
                client.journal_seq = entries[-1].seq
                message = {"type": "events", "entries": [entry.as_json() for entry in entries]}
                await asyncio.wait_for(client.socket.send_str(json.dumps(message)), _SEND_S)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One page's socket, until either side closes it."""
        if not isinstance(request.get("user"), User):
            return web.json_response({"error": "login", "problems": []}, status=401)
        if len(self._clients) >= _MOST_SOCKETS:
            return web.json_response({"error": "busy", "problems": []}, status=503)
        socket = web.WebSocketResponse(heartbeat=20.0, max_msg_size=65_536, compress=False)
        if not socket.can_prepare(request):
            raise BadRequestError("this address takes a WebSocket")
        await socket.prepare(request)
        entries = self._facade.journal.since()
        client = _Client(socket, journal_seq=entries[-1].seq if entries else 0)
        self._clients.add(client)
        sender = asyncio.create_task(self._send_pictures(client))
        try:
            await socket.send_json({"type": "state", **await asyncio.to_thread(self._facade.state_json)})
            async for message in socket:
                if message.type is not WSMsgType.TEXT or not self._understood(client, message.data):
                    break
        finally:
            self._clients.discard(client)
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await sender
            await socket.close()
        return socket

    def _understood(self, client: _Client, message: str) -> bool:
        try:
            wish = json.loads(message)
            check(wish, _WATCH)
        except (ValueError, RecursionError, BadRequestError):
            return False
        old = client.wishes
        client.wishes = {}
        for each in wish["watch"]:
            key = each["camera"], each["stream"]
            if self._facade.has_stream(*key):
                fresh = _Wish(each.get("width", 640), 1 / each.get("fps", 5.0))
                fresh.seq = old[key].seq if key in old and old[key].width == fresh.width else 0
                client.wishes[key] = fresh
        client.wake.set()
        return True

    async def _send_pictures(self, client: _Client) -> None:
        """The newest picture of each stream watched, as often as wished; what a slow client misses is left out."""
        while not client.socket.closed:
            now_s = time.monotonic()
            next_s = now_s + 1.0
            for key, wish in list(client.wishes.items()):
                self._facade.pictures.want(key, wish.width)
                if self._facade.pictures.seq(key) == wish.seq:
                    continue
                due_s = wish.sent_s + wish.period_s
                if due_s > now_s:
                    next_s = min(next_s, due_s)
                    continue
                await self._send(client, key, wish)
            client.wake.clear()
            fresh = any(self._facade.pictures.seq(key) != wish.seq for key, wish in client.wishes.items())
            with contextlib.suppress(TimeoutError):
                if fresh:
                    await asyncio.sleep(max(0.002, next_s - time.monotonic()))
                else:
                    await asyncio.wait_for(client.wake.wait(), 1.0)

    async def _send(self, client: _Client, key: Key, wish: _Wish) -> None:
        still = await asyncio.to_thread(self._facade.pictures.newest, key, wish.width)
        if still is None:
            return
        wish.seq, wish.sent_s = still.seq, time.monotonic()
        head = json.dumps({"camera": key[0], "stream": key[1], "size_wh": still.size_wh, "t_s": still.wall_time_s,
                           "left_s": still.left_s, "state": still.state}).encode()
        await asyncio.wait_for(client.socket.send_bytes(struct.pack(">I", len(head)) + head + still.jpeg), _SEND_S)

    async def close(self) -> None:
        """Send everybody away."""
        for client in tuple(self._clients):
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.socket.close(code=1001), 1.0)
