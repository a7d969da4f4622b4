"""How each cloud's broker delivers, as data. Times are seconds.

Figures that a function's declaration has (`orderflow.service.Limits`) are taken from there; these are what the brokers
themselves do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Profile:
    """One broker's delivery semantics.

    ``giving_back`` says what becomes of a message that a handler wants later: ``delay`` hides it for as long as the
    shell says, ``copy`` schedules a copy and completes the original (two steps: a crash between them makes two), and
    ``policy`` brings it back by the broker's own backoff, whatever the shell says.
    """

    name: str
    batched: bool
    """Whether one invocation may get several messages."""
    handlers_per_process: int
    """Invocations that share one process, and with it the shell's caches."""
    giving_back: Literal["delay", "copy", "policy"]
    backoff_from: float = 0.0
    backoff_to: float = 0.0
    counts_receives: bool = True
    """Whether a message that was given back keeps its count of receives."""
    unfiltered: float = 0.0
    """In what part of the runs a subscription gets every event whatever its filter says, as on Google's emulator."""


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("sqs", batched=True, handlers_per_process=1, giving_back="delay"),
        Profile("servicebus", batched=True, handlers_per_process=2, giving_back="copy", counts_receives=False),
        Profile(
            "pubsub",
            batched=False,
            handlers_per_process=4,
            giving_back="policy",
            backoff_from=10.0,
            backoff_to=600.0,
            unfiltered=0.15,
        ),
    )
}
"""By name."""
