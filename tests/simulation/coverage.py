"""Which faults met which steps: the pairs that there are, those that runs have hit, and those that cannot be.

A step is a kind of port call with its collection or dependency; to the broker's faults, a delivery to one service is
a step too. The steps are those that the services' declarations give, so that a new service or a new collection shows
as pairs left at zero until the runs reach it."""

from __future__ import annotations

from collections.abc import Mapping

from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow.breaker import COLLECTION as BREAKERS
from orderflow.files import CATALOGUE, RECEIPTS
from orderflow.services import SERVICES, find
from orderflow.steps import (
    Ask,
    Bury,
    Get,
    Publish,
    PublishAll,
    Put,
    Query,
    ReadArchive,
    ReadDrop,
    Remove,
    Resend,
    Step,
    Verify,
    WriteArchive,
)
from simulation.weather import DELIVERY_FAULTS, PUBLISH_FAULTS, PUT_FAULTS, REQUEST_FAULTS, STEP_FAULTS

Pair = tuple[str, str]
"""(step, fault)"""

METHODS = {"gateway": ("charge", "refund", "lookup"), "carrier": ("label",)}
"""What is asked of the external systems; the others are asked to send."""

IMPOSSIBLE_STEPS = {
    "replace screenings": "an order is screened once: the second delivery of its event finds it absorbed",
    "insert customers": "a profile is saved by its customer through the API, which no run does",
    "replace customers": "likewise",
    "query analytics": "aggregates are read by people through the API, which no run does",
}
"""Steps that the declarations seem to give and that no run takes, with the reason."""


def label(step: Step) -> str:
    """A kind of step, as the tables name it."""
    match step:
        case Get():
            return f"get {step.collection}"
        case Put():
            return f"{'replace' if step.previous else 'insert'} {step.collection}"
        case Query():
            return f"query {step.collection}"
        case Ask():
            return f"ask {step.dependency}.{step.method}"
    return _NAMES[type(step)]


_NAMES: dict[type, str] = {
    Publish: "publish",
    PublishAll: "publish",
    Bury: "bury",
    Resend: "resend",
    Remove: "remove",
    ReadDrop: "read drop",
    ReadArchive: "read archive",
    WriteArchive: "write archive",
    Verify: "verify",
}

_RARE_KINDS = (Query, Bury, Resend, Remove, ReadDrop, ReadArchive, WriteArchive)
_RARE_COLLECTIONS = frozenset((ATTEMPTS, BREAKERS, RECEIPTS.collection, CATALOGUE, "push", "sms", "screenings"))


def rare(step: Step) -> bool:
    """Whether few handlers take such a step: `Weather.rare` has faults for these."""
    if type(step) is Get:
        return step.collection in _RARE_COLLECTIONS
    if type(step) is Put:
        return step.previous is None or step.collection in _RARE_COLLECTIONS
    if type(step) is Ask:
        return step.method == "lookup" or step.dependency in _RARE_COLLECTIONS
    return isinstance(step, _RARE_KINDS)


def possible() -> dict[str, tuple[str, ...]]:
    """Every step with the faults that it may meet."""
    services = [RECEIPTS, *(find(name) for name in SERVICES)]
    written = {ATTEMPTS, BREAKERS, *(each.collection for each in services)}
    written |= {collection for each in services for collection in each.writes}
    read = written | {collection for each in services for collection in each.reads}
    indexed = {each.collection for each in services if each.indexes}
    asked = sorted({name for each in services for name in each.uses})
    steps: dict[str, tuple[str, ...]] = {f"get {name}": STEP_FAULTS for name in sorted(read)}
    for verb in ("insert", "replace"):
        steps |= {f"{verb} {name}": STEP_FAULTS + PUT_FAULTS for name in sorted(written)}
    steps |= {f"query {name}": STEP_FAULTS for name in sorted(indexed)}
    steps |= {f"ask {name}.{method}": STEP_FAULTS for name in asked for method in METHODS.get(name, ("send",))}
    steps["publish"] = STEP_FAULTS + PUBLISH_FAULTS
    steps |= dict.fromkeys(
        ("bury", "resend", "remove", "read drop", "read archive", "write archive", "verify"), STEP_FAULTS
    )
    steps |= {f"deliver to {each.name}": DELIVERY_FAULTS for each in services}
    steps["answer request"] = REQUEST_FAULTS
    return {step: faults for step, faults in steps.items() if step not in IMPOSSIBLE_STEPS}


def pairs() -> set[Pair]:
    """Every pair that a run can hit."""
    return {(step, fault) for step, faults in possible().items() for fault in faults}


def left(hit: Mapping[Pair, int]) -> list[Pair]:
    """The pairs that were not hit, in the tables' order."""
    return [(step, fault) for step, faults in possible().items() for fault in faults if not hit.get((step, fault))]


def unknown(hit: Mapping[Pair, int]) -> list[Pair]:
    """Pairs that were hit and are not among the possible: this module does not know a step or a fault."""
    known = pairs()
    return sorted(pair for pair, times in hit.items() if times and pair not in known)
