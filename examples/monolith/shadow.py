"""Step 2: orderflow decides beside the monolith, and both are compared. It sends nothing: it has no customer's address
yet, so its messages end as undeliverable."""

from __future__ import annotations

from dataclasses import dataclass

from orderflow.services import find
from orderflow_cli.ops.doors import Doors

from .outbox import TellingShop

Message = tuple[str, str, str]
"""Order, template, channel."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Messages that both decided on, or one alone."""

    both: list[Message]
    monolith_only: list[Message]
    orderflow_only: list[Message]


def compare(shop: TellingShop, doors: Doors) -> Comparison:
    """The monolith's messages of the orders that it told of, beside those that orderflow asked for, which its store
    knows. Raises `orderflow.ports.Unavailable`."""
    told = shop.told()
    old = {message for message in shop.messages() if message[0] in told}
    new = {message for message in _asked_for(doors) if message[0] in told}
    return Comparison(sorted(old & new), sorted(old - new), sorted(new - old))


def _asked_for(doors: Doors) -> list[Message]:
    service = find("notification")
    found = [service.state.of(stored.document) for _, stored in doors.ports.store.scan(service.collection)]
    return [(each.order_id, template, channel) for each in found for template, channel in each.said]
