"""Who may connect: limits on connections in all and per client, with descriptors kept for what records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass

from aipg_plugin.logs import RateLimit
from aipg_plugin.media.attempts import network_of

_log = logging.getLogger(__name__)
_log.addFilter(RateLimit(most=3))
_BACKLOG = 64
_LOOK_S = 5.0
_STUCK_LOOKS = 4  # 20 s
_DESCRIPTORS = "/dev/fd"


@dataclass
class _Connection:
    client: str
    transport: asyncio.Transport
    waiting_bytes: int = 0
    looks: int = 0


class Admission:
    """Lets connections in while there are fewer than `most` in all, `most_each` of one client, and `reserve` free
    descriptors, which sources, recordings and the broker need; cuts those that read nothing for 20 s.
    """

    def __init__(self, most: int = 256, most_each: int = 64, reserve: int = 64,
                 free: Callable[[], int] | None = None) -> None:
        self._most, self._most_each, self._reserve = most, most_each, reserve
        self._free = free or free_descriptors
        self._connections: list[_Connection] = []

    def __len__(self) -> int:
        self._connections = [each for each in self._connections if not each.transport.is_closing()]
        return len(self._connections)

    async def accept(self, listener: socket.socket, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """Accept connections of a listening socket until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listener)
            except OSError as error:
                _log.warning("no connection can be accepted: %s", error.strerror)
                await asyncio.sleep(0.5)
                continue
            client = network_of(str(peer[0]))
            if not self._admits(client):
                connection.close()
                continue
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                transport, _ = await loop.connect_accepted_socket(protocol, connection)
                self._connections.append(_Connection(client, transport))

    def _admits(self, client: str) -> bool:
        count = len(self)
        mine = sum(each.client == client for each in self._connections)
        if count < self._most and mine < self._most_each and self._free() >= self._reserve:
            return True
        _log.warning("%s: connection refused: %d of this client, %d in all", client, mine, count)
        return False

    async def cut_stuck(self) -> None:
        """Cut connections whose client stopped reading, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """One look at what waits to be read."""
        for each in self._connections:
            waiting_bytes = each.transport.get_write_buffer_size()
            each.looks = each.looks + 1 if waiting_bytes and waiting_bytes == each.waiting_bytes else 0
            each.waiting_bytes = waiting_bytes
            if each.looks >= _STUCK_LOOKS:
                each.transport.abort()


def free_descriptors() -> int:
    """File descriptors this process may still open."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        return most - len(os.listdir(_DESCRIPTORS))
    except OSError as error:
        return 0 if error.errno in (23, 24) else most  # ENFILE, EMFILE: not even the list can be opened


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`, all on one port. Raises OSError."""
    found: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)):
            listener = socket.socket(family, kind, protocol)
            found.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            chosen = port or (int(found[0].getsockname()[1]) if len(found) > 1 else 0)
            listener.bind((address[0], chosen, *address[2:]))
            listener.listen(_BACKLOG)
            listener.setblocking(False)
    except OSError:
        for listener in found:
            listener.close()
        raise
    if not found:
        raise OSError(0, f"{host} has no address")
    return found
