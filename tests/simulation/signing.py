"""Signed events: in some runs everybody signs and checks, and somebody who can reach the broker and has no key sends
events of their own."""

from __future__ import annotations

from random import Random

from orderflow.envelope import Envelope, derived_id
from signing import impostor

KEY = "first"
"""The id of the key by which everybody signs."""

SIGNING = 0.15
"""The part of the runs in which signatures are required."""

WAYS = ("unsigned", "another event's signature", "another key's signature")
"""How an event comes that none of ours has published."""


def required(seed: int) -> bool:
    """Whether signatures are required in a run, where it is left to the draw."""
    return Random(f"signed {seed}").random() < SIGNING


def foreign(envelope: Envelope, way: str) -> Envelope:
    """An event that looks like a published one, under an id of its own, in one of `WAYS`."""
    content = {**envelope.to_dict(), "id": derived_id("foreign", envelope.id, way)}
    if way == "unsigned":
        content.pop("signature", None)
    copy = Envelope.trusted(content)
    return impostor(KEY).sign(copy) if way == "another key's signature" else copy
