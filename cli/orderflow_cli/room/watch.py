"""Looking at the clouds while a page is open, and only then.

Each part has its own period. A look that takes long is made more seldom, so that looking takes at most a fifth of the
time, whatever is stored and however slow a cloud is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from anyio.to_thread import run_sync

from orderflow_cli.ops.queues import read_queues
from orderflow_cli.room.board import Board
from orderflow_cli.room.latest import Latest
from orderflow_cli.room.load import Load
from orderflow_cli.room.site import Site
from orderflow_cli.room.today import Today
from orderflow_cli.room.trouble import Tail, providers
from orderflow_cli.room.twice import Twice
from orderflow_cli.workload import HERMIT, PEOPLE

REST_AFTER_S = 10.0
"""When no page has been open for so long, nobody looks any more, and the load ends."""
_SHARE = 5

Look = Callable[[], dict[str, Any] | None]
"""Answers the part that is shown, None where it only prepares another."""


class Watch:
    """The looks at all sites, and the load on them. All methods belong to the event loop's thread."""

    def __init__(self, sites: Mapping[str, Site]) -> None:
        people = [person.id for person in (*PEOPLE, HERMIT)]
        self.board = Board()
        self.latest = {name: Latest(site.doors, people) for name, site in sites.items()}
        self.loads = {name: Load(site.doors, self.latest[name].add) for name, site in sites.items()}
        self.twice = {name: Twice(site.doors) for name, site in sites.items()}
        self._looks = {name: _looks(site, self.latest[name]) for name, site in sites.items()}
        self._took: dict[str, dict[str, int]] = {name: {} for name in sites}
        self._pages = 0
        self._task: asyncio.Task[None] | None = None
        self._resting: asyncio.TimerHandle | None = None

    async def stream(self) -> AsyncGenerator[str, None]:
        """The board's stream for one page; the clouds are looked at meanwhile."""
        self._pages += 1
        if self._resting is not None:  # Who goes from page to page is between two of them for a moment.
            self._resting.cancel()
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        try:
            async for event in self.board.stream():
                yield event
        finally:
            self._pages -= 1
            if self._pages == 0:
                self._resting = asyncio.get_running_loop().call_later(REST_AFTER_S, self._rest)

    def _rest(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        for load in self.loads.values():
            load.set(0)
        for twice in self.twice.values():
            twice.set(False)

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            for cloud, looks in self._looks.items():
                group.create_task(self.loads[cloud].run())
                group.create_task(self.twice[cloud].run())
                for kind, (period, look) in looks.items():
                    group.create_task(self._every(cloud, kind, period, look))

    async def _every(self, cloud: str, kind: str, period: float, look: Look) -> None:
        while True:
            began = time.monotonic()
            shown: dict[str, Any] | None
            try:
                shown = await run_sync(look)
            except Exception as error:  # A cloud that is in trouble is what one comes to see: the page says so.
                shown = {"error": f"{type(error).__name__}: {error}"[:300]}
            took = time.monotonic() - began
            if shown is not None:
                self.board.put(cloud, kind, shown)
            self._took[cloud][kind] = round(took * 1000)
            made = {"load": self.loads[cloud].shown(), "twice": self.twice[cloud].shown()}
            self.board.put(cloud, "looks", {"took_ms": self._took[cloud], **made})
            await asyncio.sleep(max(period, took * (_SHARE - 1)))


def _looks(site: Site, latest: Latest) -> dict[str, tuple[float, Look]]:
    """The parts with their periods in seconds."""
    return {
        "newest": (1.0, latest.find),
        "orders": (1.0, latest.look),
        "today": (3.0, Today(site.doors).look),
        "queues": (2.0, partial(_queues, site)),
        "trouble": (1.0, partial(_trouble, site, Tail(site.logs))),
    }


def _queues(site: Site) -> dict[str, Any]:
    with site.looking:
        figures = read_queues(site.doors.queues)
    return {"services": [asdict(each) for each in figures], "untold": dict(site.doors.queues.untold)}


def _trouble(site: Site, tail: Tail) -> dict[str, Any]:
    hosts = sorted(host.name for host in site.machine.hosts())
    return {"providers": providers(site.doors), "hosts": hosts, **tail.look()}
