"""Fraud screening of high-value orders: an added service. It hears an existing event through a content filter; nobody
else was changed for it."""

from __future__ import annotations

from typing import Literal

from orderflow.events import FraudCleared, FraudSuspected, Id, OrderPlaced
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Service
from orderflow.state import State


class Screening(State):
    """The verdict on one order."""

    order_id: Id
    verdict: Literal["cleared", "suspected"]
    reasons: tuple[str, ...] = ()


def key(event: OrderPlaced, _time: str) -> str:
    """Screenings are kept by order."""
    return safe_key(event.order_id)


def decide(_screening: Screening | None, event: OrderPlaced, context: Context) -> Decision[Screening]:
    """Suspect very large totals and very large quantities."""
    settings = context.settings
    reasons = []
    if event.total > settings.suspect_from:
        reasons.append("total")
    if any(line.quantity >= settings.suspect_quantity for line in event.lines):
        reasons.append("quantity")
    if reasons:
        suspected = Screening(order_id=event.order_id, verdict="suspected", reasons=tuple(reasons))
        return Commit(suspected, (FraudSuspected(order_id=event.order_id, reasons=tuple(reasons)),))
    cleared = Screening(order_id=event.order_id, verdict="cleared")
    return Commit(cleared, (FraudCleared(order_id=event.order_id),))


SERVICE = Service(
    name="fraud",
    hears=(OrderPlaced,),
    emits=(FraudSuspected, FraudCleared),
    filter={"kind": ("OrderPlaced",), "tier": ("high",)},
    collection="screenings",
    state=Screening,
    key=key,
    unread=(OrderPlaced,),
    decide=decide,
)
