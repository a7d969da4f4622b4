"""Inventory: reserves every line of an order or none, and gives back what a cancelled order held.

Two kinds of documents. A *reservation* per order says what is planned, held or given back. *Stock shards*, several
per SKU, hold the units; a shard is only ever changed under the fence of the reservation that wants it, and remembers
by order and plan number what it holds, so that each reservation and each release counts once.

A SKU has as many shards as its stock is worth (`orderflow.files` says how many): the first one tells, and is read
first. The plan is made from what was read, and committed before any shard is touched. When somebody else was faster,
what was taken is given back and the next plan is made from a new reading. Only a reading of all shards that cannot
cover the order ends in OutOfStock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import takewhile
from typing import Any, Literal
from zlib import crc32

from orderflow.events import (
    Event,
    Id,
    InventoryReleased,
    InventoryReserved,
    OrderCancelled,
    OrderPlaced,
    OutOfStock,
    Quantity,
    ShipmentCreated,
    Shortage,
    Sku,
    Units,
)
from orderflow.keys import safe_key
from orderflow.service import (
    Applied,
    Change,
    Changes,
    Commit,
    Context,
    Decision,
    Declined,
    Fail,
    Intend,
    LookFirst,
    Outcome,
    Refuse,
    Service,
    Wait,
)
from orderflow.state import State

STOCK = "stock"

Seen = Mapping[tuple[str, int], dict[str, Any]]
"""States of shards that were looked at, by SKU and number; empty where there is no document."""

Status = Literal["reserving", "undoing", "reserved", "refused", "releasing", "released", "shipped"]


class Hold(State):
    """Units of a SKU that a plan takes from one shard."""

    sku: Sku
    shard: int
    quantity: Quantity


class Reservation(State):
    """What inventory does for one order. ``n`` numbers the plans; ``held`` tells whether all of the plan was ever
    held."""

    status: Status
    order_id: Id
    customer_id: Id
    lines: tuple[Units, ...] = ()
    n: int = 0
    plan: tuple[Hold, ...] = ()
    held: bool = False


class Stock(State):
    """One shard of a SKU's stock. ``open`` are reservations ``{order id: (quantity, plan number)}``; ``arriving`` are
    rows of stock files that are counted in already but whose receipts may not say so yet.

    available + sum of open + shipped is what was ever replenished. Over how many shards the SKU is spread is said by
    the ``spread`` of the first one, and only grows.
    """

    spread: int = 1
    available: int = 0
    shipped: int = 0
    replenished: int = 0
    open: dict[str, tuple[int, int]] = {}
    arriving: dict[str, int] = {}


def stock_key(sku: str, shard: int) -> str:
    """The document of one shard."""
    return f"{safe_key(sku)}.{shard}"


def key(event: Event, _time: str) -> str:
    """Reservations are kept by order."""
    return safe_key(event.order_id)  # type: ignore[attr-defined]  # every event that inventory hears has it


def decide(reservation: Reservation | None, event: Event, context: Context) -> Decision[Reservation]:
    """Reserve on OrderPlaced, release on OrderCancelled, ship on ShipmentCreated."""
    match event:
        case OrderPlaced():
            return _place(reservation, event, context)
        case OrderCancelled():
            return _cancel(reservation, event)
        case _:
            return _ship(reservation)


def resume(reservation: Reservation, _event: Event, outcome: Outcome, context: Context) -> Decision[Reservation]:
    """Go on after shards were changed or read."""
    match reservation.status, outcome:
        case "reserving", Applied():
            reserved = reservation.model_copy(update={"status": "reserved", "held": True})
            event = InventoryReserved(
                order_id=reservation.order_id, customer_id=reservation.customer_id, lines=reservation.lines
            )
            return Commit(reserved, (event,))
        case "reserving", Declined(reason="full"):
            return Wait("too many open reservations on a stock shard", 1.0)
        case "reserving", Declined():
            return _undo(reservation.model_copy(update={"status": "undoing"}))
        case "undoing", Applied():
            return _plan(reservation, {}, context)
        case "releasing", Applied():
            lines = reservation.lines if reservation.held else ()
            released = reservation.model_copy(update={"status": "released"})
            return Commit(released, (InventoryReleased(order_id=reservation.order_id, lines=lines),))
        case "reserved", Applied():
            return Commit(reservation.model_copy(update={"status": "shipped"}))
    return Fail(f"{reservation.status} cannot go on after {type(outcome).__name__}")


def _place(reservation: Reservation | None, event: OrderPlaced, context: Context) -> Decision[Reservation]:
    if reservation is None:
        wanted = Reservation(
            status="reserving", order_id=event.order_id, customer_id=event.customer_id, lines=merged(event.lines)
        )
        return _plan(wanted, {}, context)
    match reservation.status:
        case "reserving":
            return _reserve(reservation, context)
        case "undoing":
            return _undo(reservation)
        case _:  # Overtaken by its own cancellation, or done: a late OrderPlaced changes nothing.
            return Commit(reservation)


def _cancel(reservation: Reservation | None, event: OrderCancelled) -> Decision[Reservation]:
    nothing = InventoryReleased(order_id=event.order_id, lines=())
    if reservation is None:  # The tombstone that a late OrderPlaced must find.
        tombstone = Reservation(status="released", order_id=event.order_id, customer_id=event.customer_id)
        return Commit(tombstone, (nothing,))
    match reservation.status:
        case "refused" | "released":
            return Commit(reservation, (nothing,))
        case "shipped":
            return Refuse("cancelled after it was shipped")
        case _:
            releasing = reservation.model_copy(update={"status": "releasing"})
            return Intend(releasing, Changes(_each(releasing, _release)))


def _ship(reservation: Reservation | None) -> Decision[Reservation]:
    match reservation and reservation.status:
        case "reserved":
            assert reservation is not None
            return Intend(reservation, Changes(_each(reservation, _take)))
        case "shipped":
            assert reservation is not None
            return Commit(reservation)
        case status:
            return Fail(f"shipped while the reservation is {status or 'missing'}")


def _reserve(reservation: Reservation, context: Context) -> Decision[Reservation]:
    """Take what the plan says, each shard under the fence that this plan is still the one."""
    n = reservation.n
    take = partial(_hold, cap=context.settings.shard_reservations)
    return Intend(
        reservation,
        Changes(_each(reservation, take), fence=lambda own: own.status == "reserving" and own.n == n),
    )


def _undo(reservation: Reservation) -> Decision[Reservation]:
    return Intend(reservation, Changes(_each(reservation, _release)))


def _plan(reservation: Reservation, seen: Seen, context: Context) -> Decision[Reservation]:
    """Plan by what was seen of the shards, or look at more of them: at the first of each SKU, then at the one where the
    order begins, then at twice as many, until one covers the line or all have been seen."""
    unseen: list[tuple[str, int]] = []
    plan: list[Hold] = []
    missing: list[Shortage] = []
    for line in reservation.lines:
        turned = _turned(reservation.order_id, line.sku, seen)
        known = _known(line.sku, turned, seen)
        if (covering := next((shard for shard, units in known.items() if units >= line.quantity), None)) is not None:
            plan.append(Hold(sku=line.sku, shard=covering, quantity=line.quantity))
        elif len(known) < len(turned):
            next_ones = turned[len(known) : 2 * len(known) or 1]
            unseen += [(line.sku, shard) for shard in next_ones if (line.sku, shard) not in seen]
        elif sum(known.values()) < line.quantity:
            missing.append(Shortage(sku=line.sku, requested=line.quantity, available=sum(known.values())))
        else:
            plan += _of_several(line, known)
    if unseen:
        keys = tuple((STOCK, stock_key(sku, shard)) for sku, shard in unseen)
        return LookFirst(
            keys,
            lambda states: _plan(
                reservation, {**seen, **{at: state or {} for at, state in zip(unseen, states, strict=True)}}, context
            ),
        )
    if missing:
        refused = reservation.model_copy(update={"status": "refused", "plan": ()})
        return Commit(refused, (OutOfStock(order_id=reservation.order_id, missing=tuple(missing)),))
    planned = {"status": "reserving", "n": reservation.n + 1, "plan": tuple(plan)}
    return _reserve(reservation.model_copy(update=planned), context)


def _turned(order_id: str, sku: str, seen: Seen) -> list[int]:
    """A SKU's shards in the order in which an order tries them. Each order begins elsewhere: not all want the same."""
    spread = seen.get((sku, 0), {}).get("spread", 1)
    start = crc32(f"{order_id}{sku}".encode()) % spread
    return [(start + step) % spread for step in range(spread)]


def _known(sku: str, turned: list[int], seen: Seen) -> dict[int, int]:
    """What is available in those shards that were seen, up to the first that was not."""
    known = takewhile(lambda shard: (sku, shard) in seen, turned)
    return {shard: seen[sku, shard].get("available", 0) for shard in known}


def _of_several(line: Units, available: dict[int, int]) -> Iterable[Hold]:
    """Take from as few shards as it needs, the fullest first."""
    left = line.quantity
    for shard in sorted(available, key=lambda shard: -available[shard]):
        if taken := min(left, available[shard]):
            yield Hold(sku=line.sku, shard=shard, quantity=taken)
            left -= taken


def merged(lines: Iterable[Any]) -> tuple[Units, ...]:
    """The lines with those of one SKU made one, in a fixed order: two orders never want two shards crosswise."""
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
    return tuple(Units(sku=sku, quantity=quantity) for sku, quantity in sorted(quantities.items()))


def _each(reservation: Reservation, apply: Any) -> tuple[Change, ...]:
    return tuple(
        Change(
            STOCK,
            stock_key(hold.sku, hold.shard),
            Stock,
            partial(apply, order_id=reservation.order_id, n=reservation.n, quantity=hold.quantity),
        )
        for hold in reservation.plan
    )


def _hold(stock: Stock | None, *, order_id: str, n: int, quantity: int, cap: int) -> Stock | None:
    """Hold units for a plan. Raises `Declined` (short, full)."""
    if stock is None:
        raise Declined("short")
    if stock.open.get(order_id) == (quantity, n):
        return None
    if stock.available < quantity:
        raise Declined("short")
    if len(stock.open) >= cap:
        raise Declined("full")
    held = {**stock.open, order_id: (quantity, n)}
    return stock.model_copy(update={"available": stock.available - quantity, "open": held})


def _release(stock: Stock | None, *, order_id: str, n: int, quantity: int) -> Stock:
    """Give back what this plan holds. Always written, also where it holds nothing: a write that was read before this
    one must fail."""
    stock = stock or Stock()
    held, of_plan = stock.open.get(order_id, (0, n))
    if of_plan != n or not held:
        return stock
    left = {other: hold for other, hold in stock.open.items() if other != order_id}
    return stock.model_copy(update={"available": stock.available + held, "open": left})


def _take(stock: Stock | None, *, order_id: str, n: int, quantity: int) -> Stock | None:
    """Move held units to shipped. Nothing to write once they have been."""
    if stock is None or stock.open.get(order_id) != (quantity, n):
        return None
    left = {other: hold for other, hold in stock.open.items() if other != order_id}
    return stock.model_copy(update={"shipped": stock.shipped + quantity, "open": left})


SERVICE = Service(
    name="inventory",
    hears=(OrderPlaced, OrderCancelled, ShipmentCreated),
    emits=(InventoryReserved, OutOfStock, InventoryReleased),
    collection="reservations",
    state=Reservation,
    key=key,
    unread=(OrderPlaced,),
    decide=decide,
    resume=resume,
    writes=(STOCK,),
)
