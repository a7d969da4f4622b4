"""A customer's rights: what is kept about them, and its erasure.

All personal data is in the customer's own document; events, orders and the archive carry the customer's id only, so
nothing else is rewritten. Orders stay: they are the books."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orderflow.api import CUSTOMERS
from orderflow.keys import safe_key
from orderflow.ports import Conflict
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.orders import orders_of

_TRIES = 5


@dataclass(frozen=True, slots=True)
class CustomerData:
    """What is kept about a customer: the contact data, None where there are none, and the orders as they are stored."""

    customer_id: str
    contact: dict[str, Any] | None
    orders: list[dict[str, Any]]


def export(doors: Doors, customer: str) -> CustomerData:
    """Everything that is kept about a customer."""
    stored = doors.ports.store.get(CUSTOMERS, safe_key(customer))
    orders = [order.model_dump(mode="json", exclude_none=True) for order in orders_of(doors, customer)]
    return CustomerData(customer, stored.document["state"] if stored else None, orders)


def erase(doors: Doors, customer: str, *, dry_run: bool = False, with_open_orders: bool = False) -> bool:
    """Delete a customer's personal data; answers whether there were any. An open order needs the address: what was not
    handed to the carrier yet would end refused, so that this is refused then, unless ``with_open_orders``. Raises
    `CannotDo`."""
    waiting = [order.order_id for order in orders_of(doors, customer) if not order.closed]
    if waiting and not with_open_orders:
        raise CannotDo(
            f"{len(waiting)} orders of this customer are still under way: {', '.join(waiting[:5])}",
            "wait until they have ended, or cancel them; or pass --with-open-orders",
        )
    for _ in range(_TRIES):
        stored = doors.ports.store.get(CUSTOMERS, safe_key(customer))
        if stored is None:
            return False
        if dry_run:
            return True
        try:
            doors.ports.store.delete(CUSTOMERS, safe_key(customer), stored)
        except Conflict:
            continue
        return True
    raise CannotDo("the customer's data are being changed all the time", "try again in a moment")
