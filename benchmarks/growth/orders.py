"""What one order costs, from its POST to rest, through the real API, shell and services with everything in memory: as
more orders are stored, and as it has more lines.

The orders that are stored are true ones, multiplied: a hundred are run to their ends, and their documents are put under
as many other keys as are wanted. Nothing in the workflow reads them, which is what the figures are to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from statistics import median

from orderflow.settings import Settings
from orderflow_cli.cost.counting import SHARED, Counted, Workflow
from orderflow_local.memory import MemoryStore

STORED = (1_000, 10_000, 100_000)
LINES = (1, 2, 5, 10, 25, 50)
_PATTERNS = 100
_SEEDED = frozenset({*SHARED, "catalogue", "customers"})


@dataclass(frozen=True, slots=True)
class Order:
    """What an order took: milliseconds of processor time, calls of the store, bytes written."""

    cpu_ms: float
    calls: int
    written: int


class Clock:
    """A tenth of a second passes each time that somebody asks: a few orders share a minute."""

    def __init__(self) -> None:
        self._ticks = count(18_000_000_000)

    def now(self) -> float:
        return next(self._ticks) / 10

    def sleep(self, seconds: float) -> None:
        return


class Shelves(MemoryStore):
    """A store that can be filled, and emptied of what belongs to single orders."""

    def fill(self, orders: int, of: int) -> None:
        """Hold the documents of so many orders, where those ``of`` some are held now."""
        patterns = [(name, key, kept) for (name, key), kept in self._documents.items() if name not in _SEEDED]
        for copy in range(1, orders // of):
            for name, key, kept in patterns:
                self._documents[name, f"{key}.{copy}"] = kept

    def forget(self) -> None:
        """Drop what belongs to single orders, as a retention does."""
        self._documents = {at: kept for at, kept in self._documents.items() if at[0] in _SEEDED - {"analytics"}}

    def places(self) -> Iterator[tuple[str, str]]:
        """Where something is kept: (collection, key)."""
        return iter(self._documents)

    def __len__(self) -> int:
        return len(self._documents)


def stored(orders: int) -> Callable[[], Order]:
    """A workflow with so many orders stored; each call runs one more and answers what it took."""
    store = Shelves()
    workflow = Workflow(store, together=True, clock=Clock())
    patterns = min(_PATTERNS, orders)
    for _ in range(patterns):
        workflow.run("shipped")
    store.fill(orders, patterns)
    return lambda: _run(workflow, 20)


def lines(number: int) -> Callable[[], Order]:
    """A workflow whose orders have so many lines, all of the lowest tier; each call runs one."""
    lowest = Settings(elevated_from=10**9, high_from=10**9, suspect_from=10**9)
    skus = [f"SKU-{sku:03d}" for sku in range(number)]
    workflow = Workflow(together=True, skus=skus, clock=Clock(), settings=lowest)
    for _ in range(6):
        workflow.run("shipped")
    return lambda: _run(workflow, 5)


def _run(workflow: Workflow, orders: int) -> Order:
    """The middle of some orders."""
    took = list(islice(_each(workflow), orders))
    return Order(
        median(each.cpu_ms for each in took),
        round(median(each.calls for each in took)),
        round(median(each.written for each in took)),
    )


def _each(workflow: Workflow) -> Iterator[Order]:
    while True:
        began = time.process_time()
        counted = workflow.run("shipped")
        took = time.process_time() - began
        yield Order(took * 1e3, *_calls(counted))


def _calls(counted: Counted) -> tuple[int, int]:
    calls = [call for execution in counted.executions for call in execution.calls if call.operation != "publish"]
    return len(calls), sum(call.size for call in calls if call.operation != "get")
