"""Orders that stand still: past their deadline, and yet somebody owes them something. Who, what, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orderflow.attempts import COLLECTION as ATTEMPTS
from orderflow.keys import safe_key
from orderflow.ports import Store
from orderflow.record import Record, load
from orderflow.services import find
from orderflow.services.order import SERVICE, Order
from orderflow.settings import Settings


@dataclass(frozen=True, slots=True)
class Awaited:
    """What an order waits for: one of these kinds of event, from this service, or that an operator settles what the
    service could not, by the command in their place. ``status`` is that of the service's own
    document about the order, None where it has none; ``error`` is why its last attempt failed, None where none did."""

    service: str
    kinds: tuple[str, ...]
    status: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """An order that is past its deadline (seconds since the epoch) and not closed. It waits for all that is listed; for
    nothing where only the sweeper has not come to it."""

    order_id: str
    status: str
    deadline: float
    reason: str | None
    awaits: tuple[Awaited, ...]


def stuck(store: Store, settings: Settings, now: float) -> Iterator[Stuck]:
    """The orders that stand still at a time (seconds since the epoch), in no order.

    Every open order is read, by the index that the sweeper goes by: for tools, not for functions. Raises
    `Unavailable`."""
    for record in _open(store, settings):
        order = record.state
        assert order is not None
        if order.expires_at <= now:
            awaits = tuple(_awaited(store, record, service, kinds) for service, kinds in _owed(order, settings))
            yield Stuck(order.order_id, order.status, order.expires_at, order.reason, awaits)


def _open(store: Store, settings: Settings) -> Iterator[Record[Order]]:
    for shard in range(settings.sweep_shards):
        cursor: str | None = None
        while True:
            page = store.query(SERVICE.collection, "due", f"due-{shard}", limit=100, cursor=cursor)
            for _, stored in page.items:
                yield load(SERVICE, stored)
            cursor = page.cursor
            if cursor is None:
                break


def _owed(order: Order, settings: Settings) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Who owes an open order what, as its document says."""
    match order.status:
        case "pending":
            if not order.reserved:
                yield "inventory", ("InventoryReserved", "OutOfStock")
            if not order.paid:
                yield "payment", ("PaymentCompleted", "PaymentFailed")
            if settings.hold_for_screening and order.tier == "high" and not order.cleared:
                yield "fraud", ("FraudCleared", "FraudSuspected")
        case "confirmed":
            yield "shipping", ("ShipmentCreated", "ShipmentRefused")
        case "cancelled":
            if not order.released:
                yield "inventory", ("InventoryReleased",)
            if not order.refunded:
                yield "payment", ("PaymentRefunded", "PaymentVoided")
            if order.refund_failed:
                yield "payment", ("orderflow orders settle",)


def _awaited(store: Store, record: Record[Order], service: str, kinds: tuple[str, ...]) -> Awaited:
    assert record.state is not None
    stored = store.get(find(service).collection, safe_key(record.state.order_id))
    status = stored.document["state"].get("status") if stored else None
    return Awaited(service, kinds, status, _last_error(store, record, service))


def _last_error(store: Store, record: Record[Order], service: str) -> str | None:
    """Why a service last failed at an event about the order: one that the order has emitted or heard, newest first."""
    emitted = [envelope.id for envelope in record.emitted()]
    for event_id in reversed([*record.absorbed, *emitted]):
        stored = store.get(ATTEMPTS, safe_key(f"{service}.{event_id}"))
        if stored is not None:
            return str(stored.document["last_error"])
    return None
