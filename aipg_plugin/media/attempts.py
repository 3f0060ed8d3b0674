"""Slowing down who guesses passwords."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from aipg_plugin.logs import RateLimit

_log = logging.getLogger(__name__)
_log.addFilter(RateLimit(most=5))
_MOST_ADDRESSES = 2000
_REMEMBERED = 16


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


@dataclass
class _Client:
    left: float
    at_s: float
    tried: OrderedDict[bytes, None] = field(default_factory=OrderedDict)


@dataclass(frozen=True)
class Attempt:
    """A log-in being checked: whose, what was sent (a keyed hash; empty if not known), and what it counts."""

    client: str
    mark: bytes
    cost: float


class LoginAttempts:
    """Each client (see `network_of`) may try `burst` wrong passwords, then one every `refill_s`.

    Ask `wait_s` before a password is checked, and do not check it while that is not 0. `begin` counts the attempt
    before it is checked, so that guesses in parallel cannot share one; end it with `succeeded` or `failed`. The same
    wrong password again is not counted: a recorder with an old password locks nobody out. For one thread.
    """

    def __init__(self, burst: int = 10, refill_s: float = 6.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._refill_s, self._clock = burst, refill_s, clock
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self._salt = secrets.token_bytes(16)
        self.failures = 0

    def wait_s(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        client = self._clients.get(network_of(address))
        if client is None:
            return 0.0
        return max(0.0, (1.0 - self._left(client)) * self._refill_s)

    def begin(self, address: str, tried: str = "") -> Attempt:
        """Count an attempt; `tried` is what was sent, if the same password is always sent in the same words."""
        key = network_of(address)
        client = self._clients.pop(key, None) or _Client(self._burst, self._clock())
        self._clients[key] = client
        while len(self._clients) > _MOST_ADDRESSES:
            self._clients.popitem(last=False)
        mark = hashlib.blake2b(tried.encode(errors="replace"), key=self._salt).digest() if tried else b""
        cost = 0.0 if mark in client.tried else 1.0
        client.left, client.at_s = self._left(client) - cost, self._clock()
        return Attempt(key, mark, cost)

    def succeeded(self, attempt: Attempt) -> None:
        """The password was right: the attempt is not counted."""
        client = self._clients.get(attempt.client)
        if client is not None:
            client.left += attempt.cost

    def failed(self, attempt: Attempt) -> None:
        """The password was wrong."""
        self.failures += 1
        client = self._clients.get(attempt.client)
        if client is not None and attempt.mark:
            if attempt.mark in client.tried:  # sent twice at the same time
                client.left += attempt.cost
            client.tried[attempt.mark] = None
            while len(client.tried) > _REMEMBERED:
                client.tried.popitem(last=False)
        _log.warning("%s: a log-in with a wrong name or password (%d in all)", attempt.client, self.failures)

    def _left(self, client: _Client) -> float:
        return min(float(self._burst), client.left + (self._clock() - client.at_s) / self._refill_s)
