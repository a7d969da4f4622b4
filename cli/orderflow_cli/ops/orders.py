"""Orders as an operator handles them: placed through the API as their customer, read from the documents of every
service, cancelled with the order's own rule."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, get_args

import httpx

from orderflow.driver import run
from orderflow.envelope import rfc3339
from orderflow.keys import safe_key
from orderflow.ports import Conflict, Stored
from orderflow.processing import Shell
from orderflow.record import Cause, Record, envelopes, load
from orderflow.services import SERVICES, find
from orderflow.services.order import SERVICE, Order, Status, cancel, settled
from orderflow.steps import Get, Steps
from orderflow.stuck import Stuck, stuck
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo, Doors


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order of a list. ``total`` is in minor units; ``placed_at`` is RFC 3339 UTC."""

    order_id: str
    customer_id: str
    status: str
    closed: bool
    total: int
    currency: str
    placed_at: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """One order: its own document's state, and the state that each other service keeps about it, by service."""

    row: OrderRow
    lines: list[dict[str, Any]]
    history: list[dict[str, Any]]
    tracking: str | None
    services: dict[str, dict[str, Any]]


def place(
    doors: Doors, customer: str, lines: dict[str, int], payment_token: str, key: str | None = None
) -> dict[str, Any]:
    """Place an order through the API as a customer; answers what the API answers. The same ``key`` again is the same
    order. Raises `CannotDo` with the API's own words where it refuses."""
    with doors.client(customer) as client:
        answer = client.post(
            "/orders", json=request_body(lines, payment_token), headers={"idempotency-key": key or str(uuid.uuid4())}
        )
    return _accepted(answer)


def request_body(lines: dict[str, int], payment_token: str) -> dict[str, Any]:
    """The body of ``POST /orders``."""
    return {
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()],
        "payment_token": payment_token,
    }


def wait_until_closed(doors: Doors, order_id: str, seconds: float) -> OrderView:
    """Wait until nothing more will happen to an order. Raises `CannotDo` where that takes longer."""
    deadline = time.monotonic() + seconds
    while not (view := show(doors, order_id)).row.closed:
        if time.monotonic() > deadline:
            raise CannotDo(
                f"after {seconds:.0f} s the order is {view.row.status} and not closed",
                f"what it waits for: orderflow orders timeline {order_id} --cloud {doors.cloud}",
            )
        time.sleep(0.5)
    return view


def show(doors: Doors, order_id: str) -> OrderView:
    """Everything that is stored about an order. Raises `CannotDo` where there is none."""
    records = documents(doors, order_id)
    if "order" not in records:
        raise CannotDo(f"there is no order {order_id}", "orderflow orders list shows their ids")
    order = records["order"].state
    assert isinstance(order, Order)
    return OrderView(
        row=_row(order),
        lines=[line.model_dump() for line in order.lines],
        history=[change.model_dump(exclude_none=True) for change in order.history],
        tracking=order.tracking,
        services={
            name: record.state.model_dump(mode="json", exclude_none=True)
            for name, record in records.items()
            if name != "order" and record.state is not None
        },
    )


def documents(doors: Doors, order_id: str) -> dict[str, Record[Any]]:
    """The documents about one order, by service: of each service that keeps one under the order's id."""
    found = {
        name: load(find(name), doors.ports.store.get(find(name).collection, safe_key(order_id))) for name in SERVICES
    }
    return {name: record for name, record in found.items() if record.state is not None}


def list_orders(doors: Doors, *, customer: str | None = None, status: str | None = None, limit: int) -> list[OrderRow]:
    """Orders, newest first. A customer's are found by an index; without one the whole collection is read, which costs
    as much as it is large. Raises `CannotDo` for a status that there is not."""
    if status is not None and status not in get_args(Status):
        raise CannotDo(f"no order is ever {status!r}", f"one of: {', '.join(get_args(Status))}", Exit.USAGE)
    found = _of_customer(doors, customer) if customer else _all(doors)
    rows = (_row(order) for order in found if status in (None, order.status))
    if customer:
        return list(islice(rows, limit))
    return sorted(rows, key=lambda row: row.placed_at, reverse=True)[:limit]


def orders_of(doors: Doors, customer: str) -> Iterable[Order]:
    """A customer's orders, newest first."""
    return _of_customer(doors, customer)


def list_stuck(doors: Doors) -> list[Stuck]:
    """The orders that stand still, and what they wait for; the one that is past its deadline longest first."""
    found = stuck(doors.ports.store, doors.settings, doors.ports.clock.now())
    return sorted(found, key=lambda order: order.deadline)


def cancel_order(doors: Doors, order_id: str, reason: str) -> OrderRow:
    """Cancel a pending order for an operator's reason, which the customer is told. What was done for it is undone by
    those who hear of it. Raises `CannotDo` where it is too late."""
    return run(_cancel(doors.shell(), order_id, f"operator: {reason}"[:300]), doors.ports)


def _cancel(shell: Shell, order_id: str, reason: str) -> Steps[OrderRow]:
    for _ in range(shell.settings.conflict_tries):
        stored: Stored | None = yield Get(SERVICE.collection, safe_key(order_id))
        record = load(SERVICE, stored)
        order = record.state
        if order is None:
            raise CannotDo(f"there is no order {order_id}", "orderflow orders list shows their ids")
        if order.status in ("confirmed", "shipped"):
            raise CannotDo(f"too late: the order is {order.status}")
        if order.status == "pending":
            now = shell.clock.now()
            # The id that the API's own cancellation has: an order is cancelled once.
            cause = Cause(f"{order.order_id}.cancel", "cancel", order.order_id, record.trace)
            decision = cancel(order, reason, now)
            emitted = envelopes(SERVICE.name, cause, decision.emit, now)
            try:
                record = yield from shell.commit(
                    SERVICE, safe_key(order_id), record.absorbing(decision.state, cause, emitted)
                )
            except Conflict:
                continue
        yield from shell.publish(record.emitted())
        assert record.state is not None
        return _row(record.state)
    raise CannotDo("the order is being changed all the time", "try again in a moment")


def to_settle(doors: Doors, order_id: str) -> OrderRow:
    """The order that `settle_order` would settle now. Raises `CannotDo` where it would be refused."""
    stored = doors.ports.store.get(SERVICE.collection, safe_key(order_id))
    return _row(_owed(order_id, load(SERVICE, stored).state))


def settle_order(doors: Doors, order_id: str, how: str) -> OrderRow:
    """Say how the money of a refund that failed was given back instead, which the customer may read; the order closes.
    Raises `CannotDo` where no refund of it failed."""
    return run(_settle(doors.shell(), order_id, f"settled: {how}"[:300]), doors.ports)


def _settle(shell: Shell, order_id: str, note: str) -> Steps[OrderRow]:
    for _ in range(shell.settings.conflict_tries):
        stored: Stored | None = yield Get(SERVICE.collection, safe_key(order_id))
        record = load(SERVICE, stored)
        order = settled(_owed(order_id, record.state), note, shell.clock.now())
        try:
            yield from shell.commit(SERVICE, safe_key(order_id), replace(record, state=order))
        except Conflict:
            continue
        return _row(order)
    raise CannotDo("the order is being changed all the time", "try again in a moment")


def _owed(order_id: str, order: Order | None) -> Order:
    """An order whose customer is owed the money of a refund that failed. Raises `CannotDo` where nothing is owed."""
    if order is None:
        raise CannotDo(f"there is no order {order_id}", "orderflow orders list shows their ids")
    if not order.refund_failed:
        raise CannotDo("there is nothing to settle: no refund of the order has failed, or it is settled")
    return order


def _of_customer(doors: Doors, customer: str) -> Iterator[Order]:
    cursor: str | None = None
    while True:
        page = doors.ports.store.query(
            SERVICE.collection, "customer", safe_key(customer), descending=True, limit=100, cursor=cursor
        )
        for _, stored in page.items:
            order = Order.of(stored.document)
            if order.customer_id == customer:
                yield order
        cursor = page.cursor
        if cursor is None:
            return


def _all(doors: Doors) -> Iterator[Order]:
    for _, stored in doors.ports.store.scan(SERVICE.collection):
        yield Order.of(stored.document)


def _row(order: Order) -> OrderRow:
    return OrderRow(
        order.order_id,
        order.customer_id,
        order.status,
        order.closed,
        order.total,
        order.currency,
        rfc3339(order.placed_at),
        order.reason,
    )


def _accepted(answer: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if "json" in answer.headers.get("content-type", ""):
        body = answer.json()
    if answer.status_code < 300:
        return body
    code = Exit.SIGN_IN if answer.status_code in (401, 403) else Exit.FAILED
    detail = body.get("detail") or answer.text[:300]
    raise CannotDo(f"the API answered {answer.status_code}: {detail}", code=code)
