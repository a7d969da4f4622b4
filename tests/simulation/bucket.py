"""The archive bucket as publishers and consumers of large events find it: what is put may be lost, or be there although
the answer was lost."""

from __future__ import annotations

from random import Random

from orderflow.claims import MOST_BYTES, Claim, redeem
from orderflow.driver import run
from orderflow.envelope import Envelope
from orderflow.ports import Ports, Unavailable
from orderflow_local.memory import MemoryObjects
from simulation.weather import Weather
from simulation.world import Violation, World

CLAIMING = 0.2
"""The part of the runs in which events leave their data behind, so few bytes do they bear."""


def most_bytes(seed: int) -> int:
    """How large an event of this run may be before its data stay behind: as deployed, or any but the smallest are."""
    random = Random(f"claims {seed}")
    return random.randint(600, 900) if random.random() < CLAIMING else MOST_BYTES


class Bucket(MemoryObjects):
    """A bucket whose weather is the run's."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.weather = Weather()
        self._world = world

    def put(self, name: str, data: bytes) -> None:
        if self._world.chance(self.weather.lost):
            raise Unavailable("simulated: nothing was stored")
        super().put(name, data)
        if self._world.chance(self.weather.answer_lost):
            raise Unavailable("simulated: it was stored, and nobody heard of it")


def whole(ports: Ports, envelope: Envelope) -> Envelope:
    """An event that is being published, with the data that it may have left behind. Raises `Violation` where whoever
    hears of it now would not find them."""
    if not isinstance(envelope, Claim):
        return envelope
    try:
        return run(redeem(envelope), ports)
    except Exception as error:
        raise Violation(f"R-REL-10: {envelope.kind} {envelope.id} is published without its data: {error}") from None
