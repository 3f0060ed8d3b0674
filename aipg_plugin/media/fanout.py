"""One producer, many readers, none of whom can slow the producer or each other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of an encoded stream: `pts` in 1/90000 s, and whether a reader may start here."""

    data: bytes
    pts: int
    key: bool


class Subscription:
    """A reader's bounded queue. It starts at a key chunk.

    A reader that falls behind by `max_chunks` or `max_bytes` is cut off (`closed`), or with `skip` loses what it has
    and goes on at the next key chunk. `wake` is called from the producer's thread after every change.
    """

    def __init__(self, wake: Callable[[], None], *, skip: bool = False, max_chunks: int = 150,
                 max_bytes: int = 16_000_000) -> None:
        self._wake = wake
        self._skip = skip
        self._max_chunks, self._max_bytes = max_chunks, max_bytes
        self._chunks: deque[Chunk] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._started = False
        self.skipped = 0
        self.closed = False
        self.overflowed = False

    def offer(self, chunk: Chunk) -> None:
        """Called by the producer; never waits."""
        with self._lock:
            if self.closed or not (self._started or chunk.key):
                return
            self._started = True
            self._chunks.append(chunk)
            self._bytes += len(chunk.data)
            if len(self._chunks) > self._max_chunks or self._bytes > self._max_bytes:
                self.skipped += len(self._chunks)
                self._chunks.clear()
                self._bytes, self._started, self.overflowed = 0, False, True
                self.closed = not self._skip
        self._wake()

    def take(self) -> list[Chunk]:
        """All that waits, oldest first; empty if nothing does."""
        with self._lock:
            chunks = list(self._chunks)
            self._chunks.clear()
            self._bytes = 0
        return chunks

    def restart(self) -> None:
        """Forget what waits and go on at the next key chunk."""
        with self._lock:
            self._chunks.clear()
            self._bytes, self._started = 0, False

    def drop_waiting(self) -> bool:
        """As `restart`, if anything waits; whether anything did."""
        with self._lock:
            waited = bool(self._chunks)
            self._chunks.clear()
            self._bytes, self._started = 0, self._started and not waited
        return waited

    def close(self) -> None:
        """End the subscription from either side."""
        with self._lock:
            self.closed = True
        self._wake()


def set_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    """Set an event of a loop from any thread; nothing if the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)


class Fanout:
    """The set of subscriptions of one stream."""

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def add(self, subscription: Subscription) -> None:
        """Let a reader in; it hears of chunks from the next key chunk on."""
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)

    def remove(self, subscription: Subscription) -> None:
        """Let a reader go and close its subscription."""
        with self._lock:
            self._subscriptions = tuple(other for other in self._subscriptions if other is not subscription)
        if not subscription.closed:
            subscription.close()

    def send(self, chunk: Chunk) -> None:
        """Offer a chunk to all; those that were cut off are removed."""
        for subscription in self._subscriptions:
            subscription.offer(chunk)
            if subscription.closed:
                self.remove(subscription)

    def drop_waiting(self) -> int:
        """Let nobody have what they have not taken yet; how many had not."""
        return sum(subscription.drop_waiting() for subscription in self._subscriptions)

    def close(self) -> None:
        """Close every subscription."""
        for subscription in self._subscriptions:
            self.remove(subscription)
