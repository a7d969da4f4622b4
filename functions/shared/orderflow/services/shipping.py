"""Shipping: orders a label once payment, reservation and confirmation have all arrived, in whatever order they do.

Confirmed and cancelled exclude each other, so a label is never ordered for a cancelled order. A carrier that refuses
for good makes the order's cancellation; one that does not answer is asked again with the same key. A customer without
an address makes it too, but only as long as the carrier was not asked: an address can be erased at any time."""

from __future__ import annotations

from typing import Any, Literal

from orderflow.events import (
    Event,
    Id,
    InventoryReserved,
    OrderCancelled,
    OrderConfirmed,
    PaymentCompleted,
    ShipmentCreated,
    ShipmentRefused,
)
from orderflow.keys import safe_key
from orderflow.service import (
    Answer,
    Call,
    Commit,
    Context,
    Decision,
    Fail,
    Intend,
    Look,
    Outcome,
    Refuse,
    Seen,
    Service,
    Unanswered,
)
from orderflow.state import State

CARRIER = "carrier"
CUSTOMERS = "customers"

Status = Literal["waiting", "labelling", "shipped", "refused", "cancelled"]


class Shipment(State):
    """What shipping knows of one order."""

    status: Status = "waiting"
    order_id: Id
    customer_id: Id
    paid: bool = False
    reserved: bool = False
    confirmed: bool = False
    placed_at: str = ""
    tracking: str = ""
    reason: str = ""


def key(event: Event, _time: str) -> str:
    """Shipments are kept by order."""
    return safe_key(event.order_id)  # type: ignore[attr-defined]  # every event that shipping hears has it


def decide(shipment: Shipment | None, event: Any, _context: Context) -> Decision[Shipment]:
    """Note what arrived, and order the label with the last of the three."""
    shipment = shipment or Shipment(order_id=event.order_id, customer_id=event.customer_id)
    if isinstance(event, OrderCancelled):
        return _cancel(shipment)
    noted = _noting(shipment, event)
    complete = noted.status == "waiting" and noted.paid and noted.reserved and noted.confirmed
    if complete or noted.status == "labelling":
        # Nothing is committed before the address is known: from labelling on the carrier may have been asked.
        return Intend(shipment, Look(((CUSTOMERS, safe_key(shipment.customer_id)),)))
    return Commit(noted)


def resume(shipment: Shipment, event: Event, outcome: Outcome, _context: Context) -> Decision[Shipment]:
    """Go on with the address, and then with the carrier's answer."""
    match outcome:
        case Seen(states=(None,)) if shipment.status == "waiting":
            return _refused(_noting(shipment, event), "the customer has no address")
        case Seen(states=(None,)):
            return Fail("the customer's address is gone, and the carrier may have been asked already")
        case Seen(states=(customer,)):
            assert customer is not None
            labelling = _noting(shipment, event).model_copy(update={"status": "labelling"})
            return Intend(labelling, _label(labelling, {"name": customer["name"], **customer["address"]}))
        case Unanswered():
            return Fail(outcome.error)
        case Answer() if outcome.value["status"] == "accepted":
            return _shipped(shipment, outcome.value["tracking"])
        case Answer():
            return _refused(shipment, str(outcome.value["reason"])[:300])
    return Fail(f"{shipment.status} cannot go on after {type(outcome).__name__}")


def _noting(shipment: Shipment, event: Event) -> Shipment:
    """What arrived is noted while the shipment waits for it."""
    if shipment.status != "waiting":
        return shipment
    match event:
        case PaymentCompleted():
            return shipment.model_copy(update={"paid": True})
        case InventoryReserved():
            return shipment.model_copy(update={"reserved": True})
        case OrderConfirmed():
            return shipment.model_copy(update={"confirmed": True, "placed_at": event.placed_at})
    return shipment


def _cancel(shipment: Shipment) -> Decision[Shipment]:
    match shipment.status:
        case "waiting" | "cancelled":
            return Commit(shipment.model_copy(update={"status": "cancelled"}))
        case "refused":
            return Commit(shipment)
        case status:
            return Refuse(f"cancelled while {status}")


def _label(shipment: Shipment, address: dict[str, Any]) -> Call:
    arguments = {
        "key": f"{shipment.order_id}.label",
        "order_id": shipment.order_id,
        "address": address,
        "parcels": 1,
    }
    return Call(CARRIER, "label", arguments)


def _shipped(shipment: Shipment, tracking: str) -> Decision[Shipment]:
    event = ShipmentCreated(
        order_id=shipment.order_id,
        customer_id=shipment.customer_id,
        tracking=tracking,
        placed_at=shipment.placed_at,
    )
    return Commit(shipment.model_copy(update={"status": "shipped", "tracking": tracking}), (event,))


def _refused(shipment: Shipment, reason: str) -> Decision[Shipment]:
    refused = shipment.model_copy(update={"status": "refused", "reason": reason})
    return Commit(refused, (ShipmentRefused(order_id=shipment.order_id, reason=reason),))


SERVICE = Service(
    name="shipping",
    hears=(PaymentCompleted, InventoryReserved, OrderConfirmed, OrderCancelled),
    emits=(ShipmentCreated, ShipmentRefused),
    collection="shipments",
    state=Shipment,
    key=key,
    decide=decide,
    resume=resume,
    reads=(CUSTOMERS,),
    uses=(CARRIER,),
)
