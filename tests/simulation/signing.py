"""Signed events: in some runs everybody signs and checks, and somebody who can reach the broker and has no key sends
events of their own."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from random import Random

from orderflow.envelope import Envelope, derived_id
from orderflow.ports import Clock
from orderflow.secret import Secret
from orderflow.signatures import SECRET, Signatures
from orderflow_local.memory import MemorySecrets

SIGNING = 0.15
"""The part of the runs in which signatures are required."""

WAYS = ("unsigned", "another event's signature", "another key's signature")
"""How an event comes that none of ours has published."""


def required(seed: int) -> bool:
    """Whether signatures are required in a run, where it is left to the draw."""
    return Random(f"signed {seed}").random() < SIGNING


def signatures(clock: Clock, key: bytes = b"k" * 32) -> Signatures:
    """Signatures by one key."""
    one = {"kty": "oct", "kid": "first", "k": urlsafe_b64encode(key).rstrip(b"=").decode()}
    return Signatures(Secret(MemorySecrets({SECRET: json.dumps({"keys": [one]})}), SECRET, clock))


def foreign(envelope: Envelope, way: str, clock: Clock) -> Envelope:
    """An event that looks like a published one, under an id of its own, in one of `WAYS`."""
    content = {**envelope.to_dict(), "id": derived_id("foreign", envelope.id, way)}
    if way == "unsigned":
        content.pop("signature", None)
    copy = Envelope.trusted(content)
    return signatures(clock, b"f" * 32).sign(copy) if way == "another key's signature" else copy
