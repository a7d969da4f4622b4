"""What goes wrong in a run, drawn from its seed: which kinds of faults there are, how often, and for how long.

A run has only some kinds (swarm testing): where everything fails all the time, nothing gets far enough to fail in an
interesting way."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from orderflow.settings import Settings

STEP_FAULTS = (
    "crash before",
    "crash after",
    "crash, done late",
    "killed in time-out",
    "unavailable",
    "answer lost",
    "answer lost, done late",
)
"""What may happen to any step. The first four take the whole process with them; of the others the handler learns
`Unavailable`, whether the step was done or not."""

PUT_FAULTS = ("conflict", "written, told conflict")
"""What may also happen to a write. The second is an SDK that repeats a request whose answer it lost."""

PUBLISH_FAULTS = ("some lost",)
"""What may also happen to a publish of several events."""

DELIVERY_FAULTS = ("duplicate", "redelivered at work", "acknowledgement lost", "delayed")
"""What a broker may do to a message. The second hands it to another worker while the first still has it."""

REQUEST_FAULTS = ("answer lost",)
"""What may happen on the way between customer and API."""


SLOWER = 20.0


@dataclass(frozen=True, slots=True)
class Weather:
    """Probabilities, by step or by message, and times in seconds. All zero: fair weather."""

    crash_before: float = 0.0
    crash_after: float = 0.0
    crash_done_late: float = 0.0
    lost: float = 0.0
    answer_lost: float = 0.0
    answer_lost_done_late: float = 0.0
    conflict: float = 0.0
    told_conflict: float = 0.0
    some_lost: float = 0.0
    stall: float = 0.0
    """A step that takes seconds; one that takes longer than the function may is killed there."""
    slow: float = 0.0
    """An invocation all of whose steps take `SLOWER` times as long: others come and go between any two of them."""
    outside: float = 0.0
    """How much likelier than other steps a call of an external system is to fail, in addition."""
    rare: float = 0.0
    """Likewise for steps that few handlers take, dead-lettering and the like; they stall more often too, and there is
    more that leads to them."""
    duplicate: float = 0.0
    """A message that the broker delivers twice."""
    redelivered: float = 0.0
    """A message that is handed to a second worker while the first has it."""
    ack_lost: float = 0.0
    delayed: float = 0.0
    """A message that takes seconds to minutes."""
    erased: float = 0.0
    """A customer whose data goes while it is unknown whether the carrier took their parcel."""
    outages: int = 0
    """Times during which an external system answers nothing, or the topic takes little."""
    poison: int = 0
    """Messages that are none of ours."""
    redrives: int = 0
    """Times at which an operator redrives all dead letters, without waiting for the end."""
    refused_refunds: float = 0.0
    """A refund that the gateway refuses: to the same key it will never say anything else."""
    lagging_index: float = 0.0
    """A document that a query does not show although it was written a moment ago."""
    skew: float = 0.0
    """How far apart two processes' clocks may be."""
    jumps: int = 0
    """Times at which the clock of a process is set, forward or back."""
    redeploys: int = 0
    """Times at which the next release is rolled out, or taken back, while messages are processed."""
    step_s: float = 0.01
    """How long a step takes, typically."""
    lasts: float = 300.0
    """For how long after the last order things go wrong."""

    @classmethod
    def draw(cls, random: Random) -> Weather:
        """The weather of one run."""

        def rate(highest: float, presence: float = 0.5) -> float:
            return highest * 10 ** random.uniform(-1.5, 0) if random.random() < presence else 0.0

        return cls(
            crash_before=rate(0.05),
            crash_after=rate(0.05),
            crash_done_late=rate(0.03, 0.3),
            lost=rate(0.08),
            answer_lost=rate(0.08),
            answer_lost_done_late=rate(0.05, 0.3),
            conflict=rate(0.4),
            told_conflict=rate(0.1, 0.3),
            some_lost=rate(0.2, 0.3),
            stall=rate(0.03),
            slow=rate(0.5),
            outside=rate(0.4),
            rare=rate(0.4, 0.3),
            duplicate=rate(0.3),
            redelivered=rate(0.3),
            ack_lost=rate(0.2),
            delayed=rate(0.3),
            outages=random.choice((0, 0, 0, 1, 1, 3)),
            poison=random.choice((0, 0, 2)),
            redrives=random.choice((0, 1, 3)),
            lagging_index=rate(0.5, 0.3),
            skew=random.choice((0.0, 0.0, 0.5, 5.0)),
            jumps=random.choice((0, 0, 3)),
            redeploys=random.choice((0, 0, 0, 1, 2, 3)),
            step_s=random.choice((0.002, 0.02, 0.2)),
            lasts=random.choice((20.0, 120.0, 600.0, 2000.0)),
            erased=rate(0.5, 0.3),
            refused_refunds=rate(0.5, 0.3),
        )

    def worst(self) -> Weather:
        """The same with many faults where few handlers come, so that every fault meets every step in some run."""
        return replace(self, rare=0.3, outside=0.5, stall=0.02, crash_done_late=0.02, told_conflict=0.05, redrives=10)

    def without(self, name: str) -> Weather:
        """The same weather without one of its faults."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self)(**{**values, name: type(values[name])(0)})

    def only(self, names: Collection[str]) -> Weather:
        """The same weather with no other faults than these."""
        weather = self
        for name in self.faults():
            weather = weather if name in names else weather.without(name)
        return weather

    def faults(self) -> list[str]:
        """The names of the faults that there are."""
        calm = {"step_s", "lasts"}
        return [field.name for field in fields(self) if field.name not in calm and getattr(self, field.name)]


def draw_settings(random: Random) -> Settings:
    """The settings of one run: small figures, so that every limit is met."""
    return Settings(
        order_deadline=random.choice((20.0, 300.0, 900.0, 900.0)),
        sweep_after=random.choice((5.0, 60.0)),
        sweep_cap=random.choice((120.0, 3600.0)),
        sweep_shards=random.choice((1, 4)),
        stock_shards=random.choice((1, 2, 4)),
        shard_units=random.choice((1, 8, 50)),
        shard_reservations=random.choice((2, 200, 200, 200)),
        conflict_tries=random.choice((2, 12)),
        breaker_failures=random.choice((2, 3)),
        breaker_cooldown=random.choice((2.0, 15.0)),
        breaker_cache=random.choice((0.0, 2.0)),
        gateway_key_life=random.choice((400.0, 86_400.0)),
        gateway_key_margin=150.0,
        hold_for_screening=random.random() < 0.3,
        catalogue_cache=random.choice((0.0, 30.0)),
        log_level="ERROR",
    )
