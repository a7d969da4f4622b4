"""Connections that can be cut: a TCP proxy in front of a local broker or store, so that a test can take it away for a
while and give it back, as a network does."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

from orderflow_local.processes import free_port

_CHUNK = 65_536


class Cutter:
    """Proxies by name, on 127.0.0.1, in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cutter", daemon=True)
        self._thread.start()
        self._cut: set[str] = set()
        self._open: dict[str, set[asyncio.StreamWriter]] = {}
        self._servers: list[asyncio.Server] = []

    def through(self, name: str, port: int) -> int:
        """A port that leads to ``port`` as long as ``name`` is not cut."""
        front = free_port()
        self._await(self._serve(name, front, port))
        return front

    def cut(self, name: str) -> None:
        """End every connection of this name, and every new one as soon as it is made."""
        self._await(self._end(name))

    def mend(self, name: str) -> None:
        """Let connections through again."""
        self._cut.discard(name)

    def close(self) -> None:
        """End everything; harmless when called twice."""
        if self._thread.is_alive():
            self._await(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _await(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, name: str, front: int, port: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._carry(name, port, reader, writer)

        self._servers.append(await asyncio.start_server(accept, "127.0.0.1", front))

    async def _carry(self, name: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if name in self._cut:
            writer.transport.abort()
            return
        try:
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, back_writer}
        self._open.setdefault(name, set()).update(both)
        try:
            await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))
        finally:
            self._open[name] -= both
            for each in both:
                each.transport.abort()

    async def _end(self, name: str) -> None:
        self._cut.add(name)
        for writer in list(self._open.get(name, ())):
            writer.transport.abort()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for name in self._open:
            await self._end(name)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
