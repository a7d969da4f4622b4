"""A long load on processes that live long: one process for every service handles thousands of orders. What belongs to
single orders is dropped from the store and the broker after each thousand, so that what is left to grow are the
processes themselves."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.growth.orders import Clock, Shelves
from orderflow import providers
from orderflow.processing import Shell
from orderflow_cli.cost.counting import Workflow
from orderflow_local.memory import MemorySecrets

_FORGET_AFTER = 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    """How a process stands after so many orders: its resident memory now, and processor time an order since the moment
    before."""

    orders: int
    rss_mib: float
    cpu_ms: float


class Long(Workflow):
    """A workflow that can forget its orders."""

    def __init__(self) -> None:
        self._shelves, self._books = Shelves(), Shelves()
        super().__init__(self._shelves, together=True, clock=Clock())
        self.ports.dependencies = providers.from_environment({}, self._books, self._clock, MemorySecrets())

    @property
    def shells(self) -> dict[str, Shell]:
        """The processes, by service."""
        return self._shells

    def forget(self) -> None:
        """Drop what belongs to single orders from the store, from the external systems' books and from the broker."""
        self._shelves.forget()
        self._books.forget()
        self._broker.published.clear()


def load(orders: int, every: int) -> Iterator[Moment]:
    """Run so many orders; answers a moment after each ``every``."""
    workflow = Long()
    for done in range(every, orders + 1, every):
        took = 0.0
        for first in range(0, every, _FORGET_AFTER):
            began = time.process_time()
            for _ in range(min(_FORGET_AFTER, every - first)):
                workflow.run("shipped")
            took += time.process_time() - began
            workflow.forget()
            gc.collect()
        yield Moment(done, _resident(), took / every * 1e3)


def _resident() -> float:
    """MiB, from /proc/self/statm (proc(5): the second figure, in pages)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20
