"""How full the queues are: what waits, what is being worked on, how old the oldest is, and what was given up.

Each cloud's SDK tells what it can; a figure that it does not tell is None, and `QueueDoor.untold` says why."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from orderflow import topology


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One service's queue. ``oldest_s`` is the age of its oldest message in seconds, 0 where there is none; None is a
    figure that this cloud does not tell."""

    service: str
    waiting: int | None
    in_flight: int | None
    oldest_s: float | None
    dead_letters: int | None


class QueueDoor(Protocol):
    """How one cloud tells about its queues."""

    untold: Mapping[str, str]
    """Why a figure (a field of `QueueFigures`) is not told here, or what it leaves out."""

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's queue. Raises `orderflow.ports.Unavailable`."""


def services_with_queues() -> list[str]:
    """The services that have a queue and a dead-letter queue of their own, as the topology declares them."""
    declared = topology.build()["services"]
    return [name for name, one in declared.items() if one["trigger"] in ("queue", "object")]


def read_queues(door: QueueDoor) -> list[QueueFigures]:
    """The figures of every service's queue, in the topology's order. Raises `orderflow.ports.Unavailable`."""
    with ThreadPoolExecutor(6) as pool:
        return list(pool.map(door.figures, services_with_queues()))
