"""The newest orders of one cloud and how far their sagas are. What a look costs depends on how many are shown, not on
how many are stored.

Open orders that are shown are read again by their ids. New ones are found by indexes, apart from that and at a pace of
its own: a local emulator may need seconds for what a cloud's index does at once. There is no index of all orders by
time, so the newest are gathered from the lists of customers: those that the shop knows and those who turn up among the
open orders, which the sweeper's index has. Left out is only an order of an unknown customer that began and ended
between two looks at that index. What the room itself placed it knows by id."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from statistics import quantiles
from typing import Any

from orderflow.envelope import rfc3339
from orderflow.keys import safe_key
from orderflow.services.order import SERVICE, Order
from orderflow_cli.ops.doors import Doors

SHOWN = 40
"""So many orders are shown."""
_OF_ONE = 12
"""So many of a customer's newest orders are read at a time."""
_STRANGERS = 8
"""The lists of so many customers that the shop does not know are read, the last that turned up."""
_TIMED = 500
"""So many shipped orders are remembered for the percentiles."""


class Latest:
    """The newest orders, kept from look to look; `add`, `find` and `look` may be called side by side."""

    def __init__(self, doors: Doors, customers: Iterable[str]) -> None:
        self._doors = doors
        self._customers = tuple(customers)
        self._strangers: dict[str, None] = {}
        self._lock = threading.Lock()
        self._orders: dict[str, Order | None] = {}
        self._trouble: Exception | None = None
        self._took: dict[str, float] = {}

    def add(self, order_id: str) -> None:
        """Show an order that was just placed."""
        with self._lock:
            self._orders.setdefault(order_id, None)

    def ids(self) -> list[str]:
        """The ids of the orders that are shown."""
        with self._lock:
            return list(self._orders)

    def find(self) -> None:
        """Find the newest orders by indexes. What goes wrong is what the next `look` raises."""
        try:
            found = {order.order_id: order for customer in self._all_customers() for order in self._of(customer)}
        except Exception as error:  # `look` raises it.
            self._trouble = error
            return
        self._trouble = None
        with self._lock:
            self._orders.update(found)

    def look(self) -> dict[str, Any]:
        """The rows, newest first, and the time from placed to shipped of those that were seen. Raises
        `orderflow.ports.Unavailable`."""
        if self._trouble is not None:
            raise self._trouble
        with self._lock:
            known = dict(self._orders)
        read = [order if order and order.closed else self._read(order_id) for order_id, order in known.items()]
        newest = sorted(filter(None, read), key=lambda order: (order.placed_at, order.order_id), reverse=True)[:SHOWN]
        with self._lock:
            since = {order_id: order for order_id, order in self._orders.items() if order_id not in known}
            self._orders = {**{order.order_id: order for order in newest}, **since}
        self._time(newest)
        return {"rows": [_row(order) for order in newest], "shipping": self._percentiles()}

    def _all_customers(self) -> tuple[str, ...]:
        """Those that the shop knows, and those of the open orders that are due last: mostly the newest."""
        for shard in range(self._doors.settings.sweep_shards):
            page = self._doors.ports.store.query(
                SERVICE.collection, "due", f"due-{shard}", descending=True, limit=_OF_ONE
            )
            for _, stored in page.items:
                customer = Order.of(stored.document).customer_id
                if customer not in self._customers:
                    self._strangers.setdefault(customer)
        while len(self._strangers) > _STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        return (*self._customers, *self._strangers)

    def _of(self, customer: str) -> list[Order]:
        page = self._doors.ports.store.query(
            SERVICE.collection, "customer", safe_key(customer), descending=True, limit=_OF_ONE
        )
        return [Order.of(stored.document) for _, stored in page.items]

    def _read(self, order_id: str) -> Order | None:
        stored = self._doors.ports.store.get(SERVICE.collection, safe_key(order_id))
        return Order.of(stored.document) if stored else None

    def _time(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if order.order_id not in self._took and (seconds := _placed_to_shipped(order)) is not None:
                self._took[order.order_id] = seconds
        while len(self._took) > _TIMED:
            del self._took[next(iter(self._took))]

    def _percentiles(self) -> dict[str, float] | None:
        if len(self._took) < 2:
            return None
        cuts = quantiles(self._took.values(), n=20, method="inclusive")
        return {"orders": len(self._took), "p50_s": round(cuts[9], 1), "p95_s": round(cuts[18], 1)}


def _row(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "customer_id": order.customer_id,
        "status": order.status,
        "closed": order.closed,
        "total": order.total,
        "currency": order.currency,
        "placed_at": rfc3339(order.placed_at),
        "reason": order.reason,
        "steps": _steps(order),
    }


def _steps(order: Order) -> list[tuple[str, bool]]:
    """The steps of the way that the order is on, and whether each is done."""
    if order.status == "cancelled":
        return [("cancelled", True), ("inventory answered", order.released), ("payment answered", order.refunded)]
    return [
        ("reserved", order.reserved),
        ("paid", order.paid),
        ("confirmed", order.status in ("confirmed", "shipped")),
        ("shipped", order.status == "shipped"),
    ]


def _placed_to_shipped(order: Order) -> float | None:
    """In seconds, None for an order that is not shipped."""
    for change in order.history:
        if change.status == "shipped":
            return max(0.0, datetime.fromisoformat(change.at).timestamp() - order.placed_at)
    return None
