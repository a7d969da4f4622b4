"""The workflow in one process: the ports in memory, a clock that is moved by hand, chance from a seed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from orderflow import topology
from orderflow.driver import run, run_batch
from orderflow.envelope import Envelope, rfc3339
from orderflow.events import Event, Line, OrderPlaced
from orderflow.files import load
from orderflow.keys import safe_key
from orderflow.ports import Delivery, Document, Page, Ports, Stored
from orderflow.processing import Done, Outcome, Retry, Shell
from orderflow.record import Cause, Record, envelopes
from orderflow.service import Service
from orderflow.services import find
from orderflow.services.inventory import STOCK, Stock, stock_key
from orderflow.services.order import SERVICE, Change, Order, due_shard, placed, tier_of
from orderflow.settings import Settings
from orderflow.sweeper import Swept, sweep
from orderflow_local.memory import MemoryBroker, MemoryObjects, MemoryStore, memory_ports

BEGIN = 1_800_000_000.0
TOPOLOGY = topology.build()
CUSTOMER: Document = {
    "name": "Zoë Ångström",
    "address": {"street": "Straße 1", "city": "Łódź", "postcode": "10115", "country": "DE"},
    "email": "zoe@example.com",
    "sms": "+4930123456",
    "push": "device-1",
}


class HandClock:
    """A clock that only moves when it is told to, or when somebody sleeps."""

    def __init__(self) -> None:
        self.time = BEGIN

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class WatchedStore(MemoryStore):
    """A memory store that counts its calls and runs ``before`` each and ``after`` each write; both may raise: a call
    that was never made, and one whose answer was lost."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.before: Callable[[str, str, str], None] | None = None
        self.after: Callable[[str, str, str], None] | None = None

    def copy(self, other: MemoryStore) -> None:
        """Hold what another store holds now."""
        self._documents = dict(other._documents)
        self._writes = other._writes

    def writes(self) -> int:
        """How many writes there were."""
        return sum(number for (method, _), number in self.calls.items() if method == "put")

    def _called(self, method: str, collection: str, key: str) -> None:
        self.calls[method, collection] += 1
        if self.before is not None:
            self.before(method, collection, key)

    def get(self, collection: str, key: str) -> Stored | None:
        self._called("get", collection, key)
        return super().get(collection, key)

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        self._called("put", collection, key)
        return self._written(super().insert(collection, key, document), collection, key)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        self._called("put", collection, key)
        return self._written(super().replace(collection, key, document, previous), collection, key)

    def _written(self, stored: Stored, collection: str, key: str) -> Stored:
        if self.after is not None:
            self.after("put", collection, key)
        return stored

    def query(self, collection: str, index: str, partition: str, **options: Any) -> Page:
        self._called("query", collection, index)
        return super().query(collection, index, partition, **options)

    def overwrite(self, collection: str, key: str, **state: Any) -> None:
        """Change fields of a document's state, whatever the rules say."""
        stored = MemoryStore.get(self, collection, key)
        assert stored is not None
        document = {**stored.document, "state": {**stored.document["state"], **state}}
        MemoryStore.replace(self, collection, key, document, stored)

    def amend(self, collection: str, key: str, change: Callable[[Document], None]) -> None:
        """Change a whole document, whatever the rules say."""
        stored = MemoryStore.get(self, collection, key)
        document = stored.document if stored else {"rev": 1}
        change(document)
        if stored is None:
            MemoryStore.insert(self, collection, key, document)
        else:
            MemoryStore.replace(self, collection, key, document, stored)


class WatchedBroker(MemoryBroker):
    """A memory broker that keeps every call's events together and refuses to publish while ``refuses`` says so."""

    def __init__(self, filters: dict[str, dict[str, list[str]]]) -> None:
        super().__init__(filters)
        self.calls: list[list[Envelope]] = []
        self.refuses: Callable[[Envelope], Exception | None] | None = None
        self.box_error: Exception | None = None

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        self.calls.append(list(envelopes))
        answers = [self.refuses(envelope) if self.refuses else None for envelope in envelopes]
        super().publish([envelope for envelope, error in zip(envelopes, answers, strict=True) if error is None])
        return answers

    def send(self, letter: Any) -> None:
        if self.box_error is not None:
            raise self.box_error
        super().send(letter)


@dataclass
class Lab:
    """A whole workflow at rest, until a test lets something happen."""

    ports: Ports
    store: WatchedStore
    broker: WatchedBroker
    clock: HandClock
    settings: Settings
    shell: Shell
    outcomes: list[tuple[str, str, Outcome]] = field(default_factory=list)

    @classmethod
    def make(cls, settings: Settings | None = None, *, seed: int = 1) -> Lab:
        """A laboratory with the simulated providers."""
        from orderflow.providers import from_environment

        ports = memory_ports(TOPOLOGY)
        clock, store = HandClock(), WatchedStore()
        broker = WatchedBroker(MemoryBroker.of(TOPOLOGY).filters)
        ports.store, ports.publisher, ports.dead_letters, ports.clock = store, broker, broker, clock
        ports.dependencies = dict(from_environment({}, store, clock, ports.secrets))
        settings = settings or Settings()
        return cls(ports, store, broker, clock, settings, Shell(settings, clock, Random(seed)))

    @property
    def drop(self) -> MemoryObjects:
        """The drop bucket."""
        assert isinstance(self.ports.drop, MemoryObjects)
        return self.ports.drop

    @property
    def archive(self) -> MemoryObjects:
        """The archive bucket."""
        assert isinstance(self.ports.archive, MemoryObjects)
        return self.ports.archive

    def deliver(self, service: str, message: Envelope | bytes | Delivery, *, receives: int = 1) -> Outcome:
        """Hand one message to a service."""
        outcome: Outcome = self.deliver_all(service, [message], receives=receives)[0]
        return outcome

    def deliver_all(
        self,
        service: str,
        messages: Sequence[Envelope | bytes | Delivery],
        *,
        late: Callable[[], bool] = lambda: False,
        receives: int = 1,
    ) -> list[Any]:
        """Hand a batch to a service; answers the outcomes, or the exceptions that ended a handler."""
        return self.deliver_to(find(service), *messages, late=late, receives=receives)

    def deliver_to(
        self,
        service: Service[Any],
        *messages: Envelope | bytes | Delivery,
        late: Callable[[], bool] = lambda: False,
        receives: int = 1,
    ) -> list[Any]:
        """Hand a batch to a service that need not be one of the workflow's."""
        batch = [as_delivery(message, receives) for message in messages]
        return run_batch([self.shell.deliver(service, each) for each in batch], self.ports, late)

    def load_file(self, name: str, data: bytes, receives: int = 1) -> Outcome:
        """Drop a file and load it."""
        self.drop.put(name, data)
        return run(load(self.shell, name, receives), self.ports)

    def sweep(self) -> Swept:
        """Sweep once."""
        return run(sweep(self.shell), self.ports)

    def stock(self, sku: str, *units: int) -> None:
        """Put units on the shelves, shard by shard."""
        for shard, number in enumerate(units):
            stock = Stock(spread=len(units), available=number, replenished=number)
            document = {"schema": 1, "rev": 1, "state": stock.model_dump(mode="json")}
            self.store.insert(STOCK, stock_key(sku, shard), document)

    def customer(self, customer_id: str = "zoe", **contact: Any) -> None:
        """Save a customer's contact data."""
        state = {**CUSTOMER, **contact}
        self.store.insert("customers", safe_key(customer_id), {"schema": 1, "rev": 1, "state": state})

    def place(self, order_id: str = "o-1", *, customer: str = "zoe", publish: bool = True, **more: Any) -> Envelope:
        """Commit an order as the API does, and publish its OrderPlaced."""
        order = new_order(order_id, self.settings, customer=customer, now=self.clock.now(), **more)
        cause = Cause(f"{order_id}.place", "digest", order_id)
        emitted = envelopes("order", cause, (placed(order),), self.clock.now())
        nothing: Record[Order] = Record()
        record = nothing.absorbing(order, cause, emitted)
        self.store.insert("orders", safe_key(order_id), record.to_document(SERVICE))
        if publish:
            self.broker.publish(emitted)
        return emitted[0]

    def run_to_rest(self, *, most: int = 5_000, order: Random | None = None) -> None:
        """Deliver everything that is queued, and what comes of it, until nothing is; what is to be retried later is
        queued again and the clock moved on."""
        for _ in range(most):
            services = [service for service, queue in self.broker.queues.items() if queue]
            if not services:
                return
            service = order.choice(services) if order else services[0]
            delivery = self.broker.queues[service].popleft()
            outcome = self.deliver(service, delivery, receives=delivery.receives)
            self.outcomes.append((service, json.loads(delivery.body)["kind"], outcome))
            if isinstance(outcome, Retry):
                self.clock.time += outcome.after
                again = Delivery(delivery.body, delivery.attributes, "again", delivery.receives + 1)
                self.broker.queues[service].append(again)
        raise AssertionError("the workflow does not come to rest")

    def state(self, service: str, key: str = "o-1") -> Any:
        """A service's state of an order, None where there is none."""
        stored = MemoryStore.get(self.store, find(service).collection, safe_key(key))
        return find(service).state.model_validate(stored.document["state"]) if stored else None

    def document(self, collection: str, key: str) -> Document | None:
        """A document as it is stored, without counting as a call."""
        stored = MemoryStore.get(self.store, collection, key)
        return stored.document if stored else None

    def letters(self, service: str) -> list[Any]:
        """A service's dead letters."""
        return self.broker.letters[service]

    def published(self, kind: str | None = None) -> list[Envelope]:
        """What was published, once for each time."""
        return [each for each in self.broker.published if kind in (None, each.kind)]

    def entries(self, collection: str, key: str = "o-1") -> list[Document]:
        """A simulated provider's books."""
        document = self.document(collection, safe_key(key))
        return list(document["entries"].values()) if document else []

    def simulate(self, name: str, mode: str) -> None:
        """Break or mend a simulated provider, and wait until it has noticed."""
        self.store.amend("simulation", name, lambda document: document.update(mode=mode))
        self.clock.time += 1.5


def as_delivery(message: Envelope | bytes | Delivery, receives: int = 1) -> Delivery:
    """A message as a broker hands it over."""
    match message:
        case Delivery():
            return message
        case bytes():
            return Delivery(message, {}, "m1", receives)
    return Delivery(message.to_bytes(), message.attributes(), "m1", receives)


def enveloped(event: Event, event_id: str = "e-1", *, now: float = BEGIN, **more: Any) -> Envelope:
    """An event as somebody else's service would have published it."""
    data = event.model_dump(mode="json", exclude_none=True)
    attributes: dict[str, Any] = {
        "id": event_id,
        "source": "/orderflow/test",
        "type": event.type_name(),
        "subject": event.subject,
        "time": rfc3339(now),
        "correlationid": data.get("order_id", event.subject),
        "kind": event.kind(),
        "category": event.category,
        "tier": data.get("tier"),
        "channel": data.get("channel"),
        "data": data,
    }
    return Envelope(**{**attributes, **more})


def order_placed(
    order_id: str = "o-1", *, lines: Sequence[tuple[str, int]] = (("CUP", 2),), **more: Any
) -> OrderPlaced:
    """The event of a new order; every unit costs 1,000 unless a total is given."""
    made = tuple(Line(sku=sku, quantity=quantity, unit_price=1_000) for sku, quantity in lines)
    fields: dict[str, Any] = {
        "order_id": order_id,
        "customer_id": "zoe",
        "lines": made,
        "total": sum(line.quantity * line.unit_price for line in made),
        "currency": "EUR",
        "payment_token": "tok_visa",
        "tier": "standard",
        "placed_at": rfc3339(BEGIN),
    }
    return OrderPlaced(**{**fields, **more})


def new_order(
    order_id: str = "o-1",
    settings: Settings | None = None,
    *,
    customer: str = "zoe",
    lines: Sequence[tuple[str, int]] = (("CUP", 2),),
    price: int = 1_000,
    token: str = "tok_visa",
    now: float = BEGIN,
    **more: Any,
) -> Order:
    """An order document as the API makes it."""
    settings = settings or Settings()
    made = tuple(Line(sku=sku, quantity=quantity, unit_price=price) for sku, quantity in lines)
    total = sum(line.quantity * line.unit_price for line in made)
    fields: dict[str, Any] = {
        "order_id": order_id,
        "customer_id": customer,
        "lines": made,
        "total": total,
        "currency": "EUR",
        "tier": tier_of(total, settings),
        "payment_token": token,
        "placed_at": now,
        "expires_at": now + settings.order_deadline,
        "due_at": now + settings.sweep_after,
        "due_shard": due_shard(order_id, settings),
        "history": (Change(status="pending", at=rfc3339(now)),),
    }
    return Order(**{**fields, **more})


def done(outcome: Outcome) -> str:
    """The note of an outcome that must be Done."""
    assert isinstance(outcome, Done), outcome
    return outcome.note


def retried(outcome: Outcome) -> str:
    """The reason of an outcome that must be Retry."""
    assert isinstance(outcome, Retry), outcome
    return outcome.reason
