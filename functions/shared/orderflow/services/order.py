"""The order: the arbiter. Its document alone says Confirmed or Cancelled, once; everyone else acts on that or can undo.

States: pending -> confirmed -> shipped, pending -> cancelled, and confirmed -> cancelled when the carrier refuses for
good. ``closed`` means that nobody owes the order anything: it is shipped, or it is cancelled and both inventory and
payment have answered the cancellation. A refund that fails later opens it again, until somebody has settled it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal
from zlib import crc32

from pydantic import Field

from orderflow.envelope import rfc3339
from orderflow.events import (
    Currency,
    Event,
    FraudCleared,
    FraudSuspected,
    Id,
    InventoryReleased,
    InventoryReserved,
    Line,
    Minor,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    ShipmentCreated,
    ShipmentRefused,
    Tier,
)
from orderflow.keys import safe_key
from orderflow.service import Commit, Context, Decision, Fail, Refuse, Service
from orderflow.settings import Settings
from orderflow.state import State

Status = Literal["pending", "confirmed", "shipped", "cancelled"]


class Change(State):
    """One entry of an order's history; ``at`` is RFC 3339 UTC."""

    status: str
    at: str
    note: str | None = None


class Order(State):
    """The order document. Times are seconds since the epoch; ``due_at`` is when the sweeper looks next."""

    order_id: Id
    customer_id: Id
    status: Status = "pending"
    lines: Annotated[tuple[Line, ...], Field(min_length=1)]
    total: Minor
    currency: Currency
    tier: Tier
    payment_token: Id
    placed_at: float
    expires_at: float
    due_at: float
    due_shard: int
    sweeps: int = 0
    reserved: bool = False
    paid: bool = False
    cleared: bool = False
    suspected: bool = False
    released: bool = False
    refunded: bool = False
    refund_failed: bool = False
    closed: bool = False
    reason: str | None = None
    tracking: str | None = None
    history: tuple[Change, ...] = ()


def key(event: Event, _time: str) -> str:
    """Orders are kept by id."""
    return safe_key(event.order_id)  # type: ignore[attr-defined]  # every event that the order hears has it


def index(order: Order) -> dict[str, list[str]]:
    """By customer and time, for their list; by due time while the order is open, for the sweeper."""
    entries = {"customer": [safe_key(order.customer_id), f"{safe_key(rfc3339(order.placed_at))}.{order.order_id}"]}
    if not order.closed:
        entries["due"] = [f"due-{order.due_shard}", due_sort(order.due_at)]
    return entries


def due_sort(seconds: float) -> str:
    """Times as sort values."""
    return f"{seconds:017.3f}"


def due_shard(order_id: str, settings: Settings) -> int:
    """Which of the sweeper's index partitions an order is in."""
    return crc32(order_id.encode()) % settings.sweep_shards


def tier_of(total: int, settings: Settings) -> Tier:
    """What filters see of an order's value: they cannot compare numbers on every cloud."""
    if total > settings.high_from:
        return "high"
    return "elevated" if total > settings.elevated_from else "standard"


def placed(order: Order) -> OrderPlaced:
    """The event of a new order."""
    return OrderPlaced(
        order_id=order.order_id,
        customer_id=order.customer_id,
        lines=order.lines,
        total=order.total,
        currency=order.currency,
        payment_token=order.payment_token,
        tier=order.tier,
        placed_at=rfc3339(order.placed_at),
    )


def cancel(order: Order, reason: str, now: float) -> Commit[Order]:
    """Cancel an order; what was done for it is undone by those who hear of it."""
    cancelled = _move(order, "cancelled", now, note=reason, reason=reason)
    event = OrderCancelled(
        order_id=order.order_id,
        customer_id=order.customer_id,
        reason=reason,
        total=order.total,
        currency=order.currency,
    )
    return Commit(cancelled, (event,))


def told(order: Order, fact: str, reference: str, now: float) -> Order:
    """Note what the gateway told by itself: a fact (`orderflow.ports.Webhook`) by the gateway's id of the matter. A
    cancelled order whose refund failed is owed its money: it is open until that is `settled`. The gateway's reason is
    not noted: customers read this."""
    noted = _noted(order, f"{fact}: {reference}", now)
    if fact != "refund-failed" or order.status != "cancelled":
        return noted
    return noted.model_copy(update={"refund_failed": True, "closed": False})


def settled(order: Order, note: str, now: float) -> Order:
    """The money of a refund that failed was given back in another way."""
    return _closed_if_answered(_noted(order, note, now).model_copy(update={"refund_failed": False}))


def decide(order: Order | None, event: Event, context: Context) -> Decision[Order]:
    """Note the answer in the order, and confirm or cancel when it settles the matter."""
    if order is None:
        return Fail("the order is not there (yet)")
    return _DECISIONS[type(event)](order, event, context)


def _reserved(order: Order, _event: InventoryReserved, context: Context) -> Decision[Order]:
    return _confirm_if_ready(order.model_copy(update={"reserved": True}), context)


def _paid(order: Order, _event: PaymentCompleted, context: Context) -> Decision[Order]:
    return _confirm_if_ready(order.model_copy(update={"paid": True}), context)


def _cleared(order: Order, _event: FraudCleared, context: Context) -> Decision[Order]:
    return _confirm_if_ready(order.model_copy(update={"cleared": True}), context)


def _confirm_if_ready(order: Order, context: Context) -> Decision[Order]:
    screened = order.cleared or order.tier != "high" or not context.settings.hold_for_screening
    if not (order.status == "pending" and order.reserved and order.paid and screened):
        return Commit(order)
    event = OrderConfirmed(
        order_id=order.order_id,
        customer_id=order.customer_id,
        total=order.total,
        currency=order.currency,
        tier=order.tier,
        placed_at=rfc3339(order.placed_at),
    )
    return Commit(_move(order, "confirmed", context.now), (event,))


def _out_of_stock(order: Order, event: OutOfStock, context: Context) -> Decision[Order]:
    return _cancel_if_pending(order, f"out-of-stock: {', '.join(short.sku for short in event.missing)}"[:300], context)


def _payment_failed(order: Order, event: PaymentFailed, context: Context) -> Decision[Order]:
    return _cancel_if_pending(order, f"payment-failed: {event.reason}"[:300], context)


def _suspected(order: Order, event: FraudSuspected, context: Context) -> Decision[Order]:
    flagged = order.model_copy(update={"suspected": True})
    return _cancel_if_pending(flagged, f"fraud-suspected: {', '.join(event.reasons)}"[:300], context)


def _cancel_if_pending(order: Order, reason: str, context: Context) -> Decision[Order]:
    return cancel(order, reason, context.now) if order.status == "pending" else Commit(order)


def _shipped(order: Order, event: ShipmentCreated, context: Context) -> Decision[Order]:
    match order.status:
        case "confirmed":
            update = {"tracking": event.tracking, "closed": True}
            return Commit(_move(order.model_copy(update=update), "shipped", context.now))
        case "shipped":
            return Commit(order)
        case status:
            return Refuse(f"shipped while {status}")


def _shipment_refused(order: Order, event: ShipmentRefused, context: Context) -> Decision[Order]:
    match order.status:
        case "confirmed":
            return cancel(order, f"shipment-refused: {event.reason}"[:300], context.now)
        case "cancelled":
            return Commit(order)
        case status:
            return Refuse(f"shipment refused while {status}")


def _released(order: Order, _event: InventoryReleased, _context: Context) -> Decision[Order]:
    return Commit(_closed_if_answered(order.model_copy(update={"released": True})))


def _refunded(order: Order, _event: PaymentRefunded | PaymentVoided, _context: Context) -> Decision[Order]:
    return Commit(_closed_if_answered(order.model_copy(update={"refunded": True})))


def _closed_if_answered(order: Order) -> Order:
    answered = order.status == "cancelled" and order.released and order.refunded and not order.refund_failed
    return order.model_copy(update={"closed": order.closed or answered})


def _move(order: Order, status: Status, now: float, note: str | None = None, **update: str) -> Order:
    return _noted(order.model_copy(update={"status": status, **update}), note, now)


def _noted(order: Order, note: str | None, now: float) -> Order:
    entry = Change(status=order.status, at=rfc3339(now), note=note)
    return order.model_copy(update={"history": (*order.history, entry)})


_DECISIONS: dict[type[Event], Callable[..., Decision[Order]]] = {
    InventoryReserved: _reserved,
    PaymentCompleted: _paid,
    FraudCleared: _cleared,
    OutOfStock: _out_of_stock,
    PaymentFailed: _payment_failed,
    FraudSuspected: _suspected,
    ShipmentCreated: _shipped,
    ShipmentRefused: _shipment_refused,
    InventoryReleased: _released,
    PaymentRefunded: _refunded,
    PaymentVoided: _refunded,
}

SERVICE = Service(
    name="order",
    hears=tuple(_DECISIONS),
    emits=(OrderPlaced, OrderConfirmed, OrderCancelled),
    # The eleven kinds by name would be longer than the 256 bytes that a Pub/Sub filter may have.
    filter={"category": ("answer",)},
    collection="orders",
    state=Order,
    key=key,
    index=index,
    indexes=("customer", "due"),
    decide=decide,
)
