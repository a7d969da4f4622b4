"""Load: orders placed at a steady rate as customers place them, through the API."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import cycle
from typing import Any

from anyio.to_thread import run_sync

from orderflow_cli.ops.doors import Doors
from orderflow_cli.ops.orders import place
from orderflow_cli.workload import Wish, generate

MOST_PER_SECOND = 10.0
_AT_ONCE = 4
_WISHES = 500


class Load:
    """The load on one cloud, with the demo's variety of orders; ``tell`` gets the id of each. An order that cannot be
    placed is counted and not tried again."""

    def __init__(self, doors: Doors, tell: Callable[[str], None]) -> None:
        self._doors = doors
        self._tell = tell
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self.per_second = 0.0
        self.placed = 0
        self.failed = 0
        self.last_error = ""

    def set(self, per_second: float) -> None:
        """So many orders a second from now on, 0 to stop."""
        self.per_second = per_second
        self._changed.set()

    def shown(self) -> dict[str, Any]:
        """What it does and has done."""
        return {
            "per_second": self.per_second,
            "placed": self.placed,
            "failed": self.failed,
            "last_error": self.last_error,
        }

    async def run(self) -> None:
        """Place orders until cancelled. Where the API is slower than the rate, the rate is not kept."""
        wishes = cycle(generate(_WISHES, random.randrange(1_000_000)).wishes)  # noqa: S311  variety, no secret
        async with asyncio.TaskGroup() as placing:
            while True:
                if not self.per_second:
                    self._changed.clear()
                    await self._changed.wait()
                    continue
                await self._free.acquire()
                placing.create_task(self._place(next(wishes)))
                await asyncio.sleep(1 / self.per_second)

    async def _place(self, wish: Wish) -> None:
        lines = {line["sku"]: line["quantity"] for line in wish.body["lines"]}
        try:
            order = await run_sync(place, self._doors, wish.customer, lines, wish.body["payment_token"])
            self._tell(order["order_id"])
            self.placed += 1
        except Exception as error:  # Whatever a cloud in trouble answers: the load goes on.
            self.failed += 1
            self.last_error = str(error)[:200]
        finally:
            self._free.release()
