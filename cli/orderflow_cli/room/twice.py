"""Everything twice: a trial of what every broker may do. Whatever reaches the archive, which hears every event on every
cloud, is published to the topic again, so that all who hear it get it a second time, through the real broker and
seconds after the first time. What goes past the topic (redrives, poison messages, stock files) is not repeated."""

from __future__ import annotations

import asyncio
from typing import Any

from anyio.to_thread import run_sync

from orderflow import archive
from orderflow.envelope import Envelope
from orderflow_cli.ops.doors import Doors

_EVERY_S = 1.0
_AT_ONCE = 100


class Twice:
    """The repeating on one cloud. An event is repeated once, though the repeated one is archived as well."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._changed = asyncio.Event()
        self._read: set[str] = set()
        self._seen: set[str] = set()
        self._begins = False
        self.on = False
        self.switched = 0
        self.repeated = 0
        self.last_error = ""

    def set(self, on: bool) -> None:
        """Repeat what is archived from now on, or nothing any more."""
        self._begins = on and not self.on
        self.on = on
        self.switched += 1
        self._changed.set()

    def shown(self) -> dict[str, Any]:
        """What it does and has done; ``switched`` counts the orders it was given, so that who gave one knows what was
        looked at before."""
        return {"on": self.on, "switched": self.switched, "repeated": self.repeated, "last_error": self.last_error}

    async def run(self) -> None:
        """Repeat until cancelled, while it is on."""
        while True:
            if not self.on:
                self._changed.clear()
                await self._changed.wait()
                continue
            try:
                await run_sync(self.step)
            except Exception as error:  # Whatever a cloud in trouble answers: it is tried again.
                self.last_error = str(error)[:200]
            await asyncio.sleep(_EVERY_S)

    def step(self) -> None:
        """Repeat what has been archived since the last step. The first after it was switched on repeats nothing."""
        objects = self._doors.ports.archive
        new = sorted(set(objects.names(archive.PREFIX)) - self._read)
        if self._begins:
            self._begins = False
            self._read.update(new)
            return
        for name in new:
            batch = {each.id: each for each in archive.events_in(objects, name) if each.id not in self._seen}
            self._publish(list(batch.values()))
            self._read.add(name)

    def _publish(self, events: list[Envelope]) -> None:
        for begin in range(0, len(events), _AT_ONCE):
            part = events[begin : begin + _AT_ONCE]
            for event, refused in zip(part, self._doors.ports.publisher.publish(part), strict=True):
                self._seen.add(event.id)
                if refused is None:
                    self.repeated += 1
                else:
                    self.last_error = str(refused)[:200]
