"""Connections are limited, and descriptors are left for what records."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from aipg_plugin.media import admission as module
from aipg_plugin.media.admission import Admission, free_descriptors, listen


@contextlib.asynccontextmanager
async def serving(subject: Admission) -> AsyncIterator[int]:
    (listener,) = listen("127.0.0.1", 0)
    accepting = asyncio.ensure_future(subject.accept(listener, asyncio.Protocol))
    try:
        yield int(listener.getsockname()[1])
    finally:
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        listener.close()


async def connect(port: int, address: str) -> socket.socket:
    connection = socket.socket()
    connection.bind((address, 0))
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


async def cut(connection: socket.socket) -> bool:
    """Whether the other side hangs up on this connection; False when it is still open after a moment."""
    try:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(connection, 1), 0.3) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def test_each_client_and_all_have_a_limit() -> None:
    async def run() -> None:
        subject = Admission(most=5, most_each=3, reserve=1)
        async with serving(subject) as port:
            mine = [await connect(port, "127.0.0.1") for _ in range(6)]
            await until(lambda: len(subject) == 3)
            assert [await cut(each) for each in mine] == [False] * 3 + [True] * 3
            other = [await connect(port, "127.0.0.2") for _ in range(3)]
            assert [await cut(each) for each in other] == [False] * 2 + [True]
            mine[0].close()
            await until(lambda: len(subject) == 4)
            again = await connect(port, "127.0.0.2")
            assert not await cut(again)
            for each in (*mine, *other, again):
                each.close()
            await until(lambda: len(subject) == 0)

    asyncio.run(run())


def test_descriptors_are_left_for_others(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        left = [10]
        subject = Admission(reserve=8, free=lambda: left[0])
        async with serving(subject) as port:
            first = await connect(port, "127.0.0.1")
            assert not await cut(first)
            left[0] = 7
            late = [await connect(port, "127.0.0.9") for _ in range(50)]
            assert all([await cut(each) for each in late])
            for each in (first, *late):
                each.close()

    with caplog.at_level(logging.WARNING, module.__name__):
        asyncio.run(run())
    assert 1 <= len(caplog.records) <= 3


def test_who_stops_reading_is_cut() -> None:
    async def run() -> None:
        subject = Admission()
        async with serving(subject) as port:
            reader, sleeper = await connect(port, "127.0.0.1"), await connect(port, "127.0.0.1")
            await until(lambda: len(subject) == 2)
            for each in subject._connections:
                each.transport.write(b"x" * 10_000_000)
            loop = asyncio.get_running_loop()
            for _ in range(module._STUCK_LOOKS + 1):
                subject.look()
                read_bytes = 0
                while read_bytes < 1_500_000:
                    read_bytes += len(await loop.sock_recv(reader, 200_000))
                    await asyncio.sleep(0)
            await until(lambda: len(subject) == 1)
            reader.close()
            sleeper.close()

    asyncio.run(run())


def test_descriptors_are_counted() -> None:
    before = free_descriptors()
    sockets = [socket.socket() for _ in range(5)]
    assert before - free_descriptors() == 5
    for each in sockets:
        each.close()


def test_listening_tells_what_is_wrong() -> None:
    (first,) = listen("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", int(first.getsockname()[1]))
    first.close()
    ports = {each.getsockname()[1] for each in listen("localhost", 0)}
    assert len(ports) == 1
