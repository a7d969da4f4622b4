"""The workflow's promises, checked on a cloud at rest: nothing is on its way any more, and everything must add up.

Everything is read through the ports, that is with the real SDKs from the real stores; the money from the gateway's own
books, the parcels from the carrier's, the messages from the providers'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orderflow.envelope import Envelope
from orderflow.events import NotificationRequested, read
from orderflow.keys import safe_key
from orderflow.ports import Ports, Stored
from orderflow.record import Record, load
from orderflow.service import Context, Ignore, Service
from orderflow.services import SERVICES, find
from orderflow.services.order import Order
from orderflow.settings import Settings
from orderflow_cli.shelves import shards as shards_of

NAMES = {
    "I1": "every order ended and is closed",
    "I2": "charged once, refunded once",
    "I3": "stock adds up, never oversold",
    "I4": "one parcel for each shipped order",
    "I5": "every event absorbed once by all",
    "I6": "dead letters only with a reason",
}


_LETTERS = 1_000
"""More dead letters than this are not looked at in one queue."""


@dataclass(slots=True)
class Verdict:
    """What a check found: broken promises by invariant, and figures of the orders."""

    broken: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    outcomes: Counter[str] = field(default_factory=Counter)
    refunds: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    sent_again: int = 0
    letters: int = 0
    events: int = 0
    shipping_seconds: list[float] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return not any(self.broken.values())


def check(
    ports: Ports,
    order_ids: Iterable[str],
    stocked: dict[str, int],
    *,
    poison_ids: frozenset[str] = frozenset(),
    crashes: bool = False,
    settings: Settings | None = None,
    whole: bool = False,
) -> Verdict:
    """Check all invariants for the given orders, where ``stocked`` units by SKU were ever dropped. ``poison_ids`` are
    events that were made to be dead-lettered. Only where functions were made to crash may a message have been sent
    again: in the instant between the provider's answer and its record. ``whole`` reads collections as wholes: better
    where they hold little else than these orders."""
    checker = _Checker(ports, settings or Settings(), Verdict(), crashes, whole)
    for order_id in order_ids:
        checker.order(order_id)
    checker.stock(stocked)
    checker.dead_letters(poison_ids)
    return checker.verdict


class _Checker:
    def __init__(self, ports: Ports, settings: Settings, verdict: Verdict, crashes: bool, whole: bool) -> None:
        self.verdict = verdict
        self._crashes = crashes
        self._ports = ports
        self._settings = settings
        self._services = [find(name) for name in SERVICES]
        self._records: dict[tuple[str, str], Record[Any]] = {}
        self._shipped: Counter[str] = Counter()
        self._whole = whole
        self._collections: dict[str, dict[str, Stored]] = {}

    def order(self, order_id: str) -> None:
        """Everything about one order."""
        order: Order | None = self._record(find("order"), safe_key(order_id)).state
        if order is None:
            self._break("I1", f"{order_id} was accepted and is not there")
            return
        code = order.status if order.reason is None else order.reason.split(":")[0]
        self.verdict.outcomes[code] += 1
        if order.status not in ("shipped", "cancelled") or not order.closed:
            self._break("I1", f"{order_id} is {order.status}{'' if order.closed else ', not closed'}")
        if order.status == "shipped":
            self.verdict.shipping_seconds.append(_seconds(order))
        self._money(order)
        self._parcels(order)
        self._reservation(order)
        self._events(order_id)

    def stock(self, stocked: dict[str, int]) -> None:
        """Every SKU, over all its shards."""
        for sku, dropped in stocked.items():
            shards = shards_of(self._get, sku)
            for shard, stock in enumerate(shards):
                if min(stock.available, stock.shipped, stock.replenished) < 0 or stock.open or stock.arriving:
                    self._break("I3", f"{sku}.{shard}: {stock.model_dump()}")
                if stock.available + stock.shipped != stock.replenished:
                    self._break("I3", f"{sku}.{shard} does not add up: {stock.model_dump()}")
            if sum(stock.replenished for stock in shards) != dropped:
                self._break("I3", f"{sku}: {sum(stock.replenished for stock in shards)} arrived of {dropped}")
            if sum(stock.shipped for stock in shards) != self._shipped[sku]:
                self._break(
                    "I3",
                    f"{sku}: the stock says {sum(s.shipped for s in shards)} shipped, the orders say "
                    f"{self._shipped[sku]}",
                )

    def dead_letters(self, poison_ids: frozenset[str]) -> None:
        """Every dead-letter queue."""
        with ThreadPoolExecutor(4) as pool:  # Some brokers take a second to say that a queue is empty.
            boxes = pool.map(lambda each: self._ports.dead_letters.browse(each.name, limit=_LETTERS), self._services)
        for service, letters in zip(self._services, boxes, strict=True):
            for letter in letters:
                self.verdict.letters += 1
                if letter.event_id not in poison_ids:
                    self._break(
                        "I6", f"{service.name} has one that nobody made on purpose: {letter.reason}: {letter.detail}"
                    )
                elif not letter.detail or letter.reason == "broker":
                    self._break("I6", f"{service.name}: the poison message has no reason")

    def _money(self, order: Order) -> None:
        books = self._entries("gateway", order.order_id)
        charges = [entry for entry in books.values() if entry["status"] == "charged"]
        refunds = [entry for entry in books.values() if entry["status"] == "refunded"]
        self.verdict.refunds += len(refunds)
        due = 1 if order.status == "shipped" else 0
        if len(charges) - len(refunds) != due or len(charges) > 1:
            self._break("I2", f"{order.order_id} is {order.status}: {len(charges)} charges, {len(refunds)} refunds")
        if any(entry["amount"] != order.total for entry in (*charges, *refunds)):
            self._break("I2", f"{order.order_id}: another amount than {order.total} was moved")

    def _parcels(self, order: Order) -> None:
        parcels = [each for each in self._entries("carrier", order.order_id).values() if each["status"] == "accepted"]
        if len(parcels) != (order.status == "shipped"):
            self._break("I4", f"{order.order_id} is {order.status} with {len(parcels)} parcels")

    def _reservation(self, order: Order) -> None:
        reservation = self._record(find("inventory"), safe_key(order.order_id)).state
        status = reservation.status if reservation else "missing"
        right = ("shipped",) if order.status == "shipped" else ("released", "refused")
        if status not in right:
            self._break("I3", f"{order.order_id} is {order.status}, its reservation is {status}")
        if order.status == "shipped":
            for line in order.lines:
                self._shipped[line.sku] += line.quantity

    def _events(self, order_id: str) -> None:
        """Follow every event of the order, from the documents that emitted it to those that must have absorbed it."""
        seen: set[str] = set()
        waiting = list(self._emitted(order_id))
        while waiting:
            envelope = waiting.pop()
            if envelope.id in seen:
                continue
            seen.add(envelope.id)
            event = read(envelope)
            if isinstance(event, NotificationRequested):
                self._message(event)
            for service in self._services:
                if self._hears(service, envelope, event):
                    key = service.key(event, envelope.time)
                    if envelope.id not in self._record(service, key).absorbed:
                        self._break("I5", f"{service.name} has not absorbed {envelope.kind} of {order_id}")
        self.verdict.events += len(seen)

    def _emitted(self, order_id: str) -> Iterator[Envelope]:
        for name in ("order", "inventory", "payment", "shipping", "fraud", "notification"):
            yield from self._record(find(name), safe_key(order_id)).emitted()

    def _hears(self, service: Service[Any], envelope: Envelope, event: Any) -> bool:
        if type(event) not in service.hears:
            return False
        if not service.lets_through(envelope.attributes()):
            return False
        # What a service ignores leaves no trace, and depends on the event alone.
        return not isinstance(service.decide(None, event, Context(0.0, self._settings, envelope.time)), Ignore)

    def _message(self, event: NotificationRequested) -> None:
        sendings = self._entries("messages", event.notification_id)
        self.verdict.messages[event.channel] += bool(sendings)
        self.verdict.sent_again += max(0, len(sendings) - 1)
        message = self._record(find(event.channel), safe_key(event.notification_id)).state
        right = message is not None and message.status == "sent"
        if bool(sendings) != right or (len(sendings) > 1 and not self._crashes):
            self._break("I5", f"{event.channel} {event.template} of {event.order_id} was sent {len(sendings)} times")

    def _entries(self, collection: str, key: str) -> dict[str, Any]:
        stored = self._get(collection, safe_key(key))
        return stored.document["entries"] if stored else {}

    def _record(self, service: Service[Any], key: str) -> Record[Any]:
        if (service.name, key) not in self._records:
            self._records[service.name, key] = load(service, self._get(service.collection, key))
        return self._records[service.name, key]

    def _get(self, collection: str, key: str) -> Stored | None:
        if not self._whole:
            return self._ports.store.get(collection, key)
        if collection not in self._collections:
            self._collections[collection] = dict(self._ports.store.scan(collection))
        return self._collections[collection].get(key)

    def _break(self, invariant: str, what: str) -> None:
        self.verdict.broken[invariant].append(what)


def _seconds(order: Order) -> float:
    """From placed to shipped, as the order's history tells it."""
    at = {change.status: datetime.fromisoformat(change.at) for change in order.history}
    return (at["shipped"] - at["pending"]).total_seconds()
