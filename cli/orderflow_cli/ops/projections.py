"""What a service's document must say about an order, told by the order's events alone.

A projection leaves out what is in no event: intents (a charge that was asked for and not answered), plans and shards of
stock, revisions, the sweeper's times, the history's clock. `of_events` and `of_state` answer the same fields, so that
what is rebuilt can be compared with what is stored. The events may come in any order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orderflow.envelope import rfc3339
from orderflow.services.inventory import Reservation
from orderflow.services.order import Order
from orderflow.services.payment import Payment
from orderflow.services.shipping import Shipment

Facts = Mapping[str, Mapping[str, Any]]
"""The data of an order's events by kind."""
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Projection:
    """How one service's document is rebuilt and compared. ``of_events`` answers None where the events say nothing of
    it."""

    service: str
    of_events: Callable[[Facts], Fields | None]
    of_state: Callable[[Any], Fields]


def order_of_events(facts: Facts) -> Fields | None:
    """The order."""
    if (placed := facts.get("OrderPlaced")) is None:
        return None
    status = _first(
        facts,
        {"ShipmentCreated": "shipped", "OrderCancelled": "cancelled", "OrderConfirmed": "confirmed"},
        "pending",
    )
    refunded = "PaymentRefunded" in facts or "PaymentVoided" in facts
    undone = status == "cancelled" and "InventoryReleased" in facts and refunded
    return {
        **{name: placed[name] for name in _ORDERED},
        "status": status,
        "reserved": "InventoryReserved" in facts,
        "paid": "PaymentCompleted" in facts,
        "cleared": "FraudCleared" in facts,
        "suspected": "FraudSuspected" in facts,
        "released": "InventoryReleased" in facts,
        "refunded": refunded,
        "closed": status == "shipped" or undone,
        "reason": facts.get("OrderCancelled", {}).get("reason"),
        "tracking": facts.get("ShipmentCreated", {}).get("tracking"),
    }


def order_of_state(order: Order) -> Fields:
    """The same of the order's document."""
    state = {**order.model_dump(mode="json"), "placed_at": rfc3339(order.placed_at)}
    flags = ("reserved", "paid", "cleared", "suspected", "released", "refunded")
    return {name: state[name] for name in (*_ORDERED, "status", *flags, "closed", "reason", "tracking")}


def payment_of_events(facts: Facts) -> Fields | None:
    """The payment."""
    status = _first(
        facts,
        {
            "PaymentRefunded": "refunded",
            "PaymentFailed": "refused",
            "PaymentVoided": "void",
            "PaymentCompleted": "charged",
        },
        None,
    )
    return status and _payment(
        status,
        facts.get("PaymentCompleted", {}).get("charge_id", ""),
        facts.get("PaymentRefunded", {}).get("refund_id", ""),
        facts.get("PaymentFailed", {}).get("reason", ""),
    )


def payment_of_state(payment: Payment) -> Fields:
    """The same of the payment's document."""
    return _payment(payment.status, payment.charge_id, payment.refund_id, payment.reason)


def shipment_of_events(facts: Facts) -> Fields | None:
    """The shipment."""
    heard = dict.fromkeys(("OrderConfirmed", "PaymentCompleted", "InventoryReserved"), "waiting")
    status = _first(
        facts,
        {"ShipmentCreated": "shipped", "ShipmentRefused": "refused", "OrderCancelled": "cancelled", **heard},
        None,
    )
    return status and {
        "status": status,
        "tracking": facts.get("ShipmentCreated", {}).get("tracking", ""),
        "reason": facts.get("ShipmentRefused", {}).get("reason", ""),
    }


def shipment_of_state(shipment: Shipment) -> Fields:
    """The same of the shipment's document."""
    return {"status": shipment.status, "tracking": shipment.tracking, "reason": shipment.reason}


def reservation_of_events(facts: Facts) -> Fields | None:
    """The reservation: an order that was out of stock stays refused, whatever its cancellation answers."""
    status = _first(
        facts,
        {
            "ShipmentCreated": "shipped",
            "OutOfStock": "refused",
            "InventoryReleased": "released",
            "InventoryReserved": "reserved",
        },
        None,
    )
    return status and _reservation(status, facts.get("InventoryReserved", {}).get("lines", ()))


def reservation_of_state(reservation: Reservation) -> Fields:
    """The same of the reservation's document."""
    return _reservation(reservation.status, [line.model_dump() for line in reservation.lines])


def stock_of_events(replenished: Iterable[Mapping[str, Any]], orders: Iterable[Facts]) -> dict[str, Fields]:
    """Units by SKU, summed over its shards: what ever arrived, what is held, what has left, what is left."""
    units: dict[str, Fields] = {}

    def add(sku: str, name: str, quantity: int) -> None:
        units.setdefault(sku, {"replenished": 0, "held": 0, "shipped": 0, "available": 0})[name] += quantity

    for arrival in replenished:
        add(arrival["sku"], "replenished", arrival["quantity"])
        add(arrival["sku"], "available", arrival["quantity"])
    for facts in orders:
        for line in facts.get("InventoryReserved", {}).get("lines", ()):
            released = bool(facts.get("InventoryReleased", {}).get("lines"))
            place = "available" if released else "shipped" if "ShipmentCreated" in facts else "held"
            add(line["sku"], "available", -line["quantity"])
            add(line["sku"], place, line["quantity"])
    return units


PROJECTIONS = (
    Projection("order", order_of_events, order_of_state),
    Projection("inventory", reservation_of_events, reservation_of_state),
    Projection("payment", payment_of_events, payment_of_state),
    Projection("shipping", shipment_of_events, shipment_of_state),
)

_ORDERED = ("order_id", "customer_id", "lines", "total", "currency", "tier", "payment_token", "placed_at")


def _payment(status: str, charge_id: str, refund_id: str, reason: str) -> Fields:
    # A charge that a cancellation settled was in no event: its id is compared where it stands.
    return {
        "status": status,
        "charge_id": charge_id if status == "charged" else "",
        "refund_id": refund_id,
        "reason": reason,
    }


def _reservation(status: str, lines: Iterable[Any]) -> Fields:
    # What an order that holds nothing once wanted to hold was in no event.
    return {"status": status, "lines": list(lines) if status in ("reserved", "shipped") else []}


def _first(facts: Facts, statuses: Mapping[str, str], otherwise: Any) -> Any:
    """The status of the first kind that happened."""
    return next((status for kind, status in statuses.items() if kind in facts), otherwise)
