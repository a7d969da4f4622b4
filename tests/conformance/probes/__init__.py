"""The brokers' own side doors: queues that a test makes for itself on the topic, through the real SDKs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from conformance.world import World
    from orderflow.ports import Publisher

LEASE_S = 10
"""For how long a probe hides a message that it handed over: the least that all three brokers take."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as its broker handed it over. ``receives`` counts from 1, 0 where the broker does not say."""

    body: bytes
    attributes: dict[str, str]
    receives: int
    handle: Any = field(repr=False)


class Probe(Protocol):
    """One queue of a test's own."""

    def receive(self, most: int = 10) -> list[Received]:
        """Messages that are there, or come within a second or so."""

    def acknowledge(self, message: Received) -> None:
        """Have a message forgotten."""

    def give_back(self, message: Received) -> None:
        """Have a message handed over again at once."""


class Broker(Protocol):
    """One cloud's topic, as its own SDK has it."""

    def probe(self, filters: dict[str, list[str]]) -> Probe:
        """Subscribe a new queue: all attributes must match, each any of its values; without any it hears everything."""

    def ordered(self, filters: dict[str, list[str]]) -> tuple[Probe, Publisher]:
        """Subscribe a new queue as that of a service that is ordered, and publish as where there is such a service.
        Only where the cloud has order."""


def open_broker(world: World, stack: ExitStack) -> Broker:
    """The broker of a running cloud; what is made in it is taken away when ``stack`` closes."""
    broker: Broker = import_module(f"conformance.probes.{world.name}").open_broker(world, stack)
    return broker
