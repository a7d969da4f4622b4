"""What the pages show, and the stream of server-sent events that keeps them current.

The board holds the newest value of each part. A page is sent what has changed since it was last sent something: one
that is slow, or was away, gets the newest values and no backlog."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

STILL_HERE_S = 15.0
"""After so long without news a comment is sent, so that a connection that is gone is noticed."""


class Board:
    """The parts by cloud and kind. All methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], tuple[int, str]] = {}
        self._version = 0
        self._waiting: set[asyncio.Event] = set()

    def put(self, cloud: str, kind: str, value: dict[str, Any]) -> None:
        """Show a part; nothing is sent where it is what was shown before."""
        text = json.dumps({"cloud": cloud, **value}, ensure_ascii=False)
        _, before = self._parts.get((cloud, kind), (0, ""))
        if text == before:
            return
        self._version += 1
        self._parts[cloud, kind] = (self._version, text)
        for woken in self._waiting:
            woken.set()

    async def stream(self) -> AsyncIterator[str]:
        """Server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html) for one page: ``event`` is the
        part's kind, ``data`` is ``{"cloud": ..., ...}`` in one line. It never ends by itself."""
        seen = 0
        woken = asyncio.Event()
        self._waiting.add(woken)
        try:
            yield "retry: 1000\n\n"
            while True:
                woken.clear()
                newer = sorted((version, kind, text) for (_, kind), (version, text) in self._parts.items())
                for version, kind, text in newer:
                    if version > seen:
                        seen = version
                        yield f"event: {kind}\ndata: {text}\n\n"
                try:
                    await asyncio.wait_for(woken.wait(), STILL_HERE_S)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._waiting.discard(woken)
