"""One order through the workflow in this process, every call counted.

The shell, the services and the API are the real ones, and so are the calls: only who answers them is in memory, unless
a cloud's own store and publisher are given. The external systems' books are no calls of ours and are not counted."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from random import Random
from typing import Any

from orderflow import providers, topology
from orderflow.api import Api
from orderflow.auth import TokenVerifier
from orderflow.driver import run
from orderflow.envelope import Envelope, canonical
from orderflow.http import Request
from orderflow.keys import safe_key
from orderflow.ports import Clock, Conflict, Document, Page, Ports, Publisher, Store, Stored
from orderflow.processing import Done, Shell
from orderflow.services import find
from orderflow.services.inventory import STOCK, Stock, stock_key
from orderflow.settings import Settings
from orderflow_local.memory import MemoryBroker, MemoryObjects, MemorySecrets, MemoryStore

PATHS = ("shipped", "out-of-stock", "payment-refused", "cancelled")
"""How an order may end. ``cancelled``: by its customer, at once, before anybody has heard of it."""

MORE_PATHS = ("high-value", "fraud-suspected", "shipment-refused")
"""Further ends, which `docs/cost.md` does not count."""

SKUS = ("CUP", "POT")
"""An order has a line of each, unless others are named."""

_WARMING = 6
"""Orders after which a process trusts what it remembers (`orderflow.recent`)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a port: ``get``, ``insert``, ``replace`` or ``publish``, with the bytes of the document that was read
    or written (0 where there was none), or of each event. A write moves index entries; ``lost`` is a compare-and-set
    that was refused."""

    operation: str
    collection: str = ""
    size: int = 0
    added: int = 0
    removed: int = 0
    lost: bool = False
    events: tuple[int, ...] = ()


@dataclass(slots=True)
class Execution:
    """One execution of a function: what it was handed (bytes of body and attributes), and what it did."""

    service: str
    received: int
    kind: str = ""
    calls: list[Call] = field(default_factory=list)
    logged: int = 0

    def number(self, *operations: str) -> int:
        """How many of these calls it made."""
        return sum(call.operation in operations for call in self.calls)


@dataclass(frozen=True, slots=True)
class Counted:
    """An order from its POST to rest: the executions in their order, and the bytes that it leaves in the store."""

    path: str
    executions: tuple[Execution, ...]
    stored: int

    def totals(self) -> dict[str, int]:
        """The figures of `docs/cost.md`."""
        found: Counter[str] = Counter()
        for each in self.executions:
            found["executions"] += 1
            found["http"] += each.service == "api"
            found["deliveries"] += each.service != "api"
            found["reads"] += each.number("get")
            found["writes"] += each.number("insert", "replace")
            found["lost"] += sum(call.lost for call in each.calls)
            found["publish calls"] += each.number("publish")
            found["events"] += sum(len(call.events) for call in each.calls)
        return dict(found)


class CountingStore:
    """Another store, whose calls are noted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[Call] = []

    def get(self, collection: str, key: str) -> Stored | None:
        stored = self._store.get(collection, key)
        self.calls.append(Call("get", collection, len(canonical(stored.document)) if stored else 0))
        return stored

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        return self._write("insert", collection, key, document, None)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        return self._write("replace", collection, key, document, previous)

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        raise NotImplementedError("an order deletes nothing")

    def query(self, collection: str, index: str, partition: str, **options: Any) -> Page:
        raise NotImplementedError("an order asks no index")

    def scan(self, collection: str) -> Any:
        raise NotImplementedError("an order scans nothing")

    def _write(self, operation: str, collection: str, key: str, document: Document, previous: Stored | None) -> Stored:
        old: dict[str, Any] = previous.document.get("index", {}) if previous else {}
        new: dict[str, Any] = document.get("index", {})
        call = Call(
            operation,
            collection,
            len(canonical(document)),
            added=sum(old.get(name) != entry for name, entry in new.items()),
            removed=sum(new.get(name) != entry for name, entry in old.items()),
        )
        try:
            written = (
                self._store.insert(collection, key, document)
                if previous is None
                else self._store.replace(collection, key, document, previous)
            )
        except Conflict:
            self.calls.append(Call(operation, collection, call.size, call.added, call.removed, lost=True))
            raise
        self.calls.append(call)
        return written


class CountingPublisher:
    """A broker in memory, whose calls are noted, behind a cloud's publisher where one is given."""

    def __init__(self, broker: MemoryBroker, publisher: Publisher | None) -> None:
        self._broker = broker
        self._publisher = publisher
        self.calls: list[Call] = []

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        self.calls.append(Call("publish", events=tuple(message_size(e.to_bytes(), e.attributes()) for e in envelopes)))
        if self._publisher is not None:
            refused = [error for error in self._publisher.publish(envelopes) if error is not None]
            if refused:
                raise refused[0]
        return self._broker.publish(envelopes)


class _Clock:
    """Always the same time, so that every count is the same."""

    def now(self) -> float:
        return 1_800_000_000.0

    def sleep(self, seconds: float) -> None:
        return


class _Trusting(TokenVerifier):
    """Takes the header for the customer's id. Checking a token is no call: the issuer's keys are kept."""

    def __init__(self) -> None:
        return

    def subject(self, authorization: str | None) -> str:
        return authorization or "somebody"


class Workflow:
    """The workflow with its calls counted. ``together``: one process for each service, which remembers what it wrote;
    otherwise each delivery finds a process that remembers nothing. An order has a line of each of ``skus``, whose stock
    is spread over so many ``shards``."""

    def __init__(
        self,
        store: Store | None = None,
        publisher: Publisher | None = None,
        *,
        together: bool = False,
        skus: Sequence[str] = SKUS,
        shards: int = 1,
        clock: Clock | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._clock = clock or _Clock()
        self._skus = skus
        self._shards = shards
        self._plain = MemoryStore() if store is None else store
        self._broker = MemoryBroker.of(topology.build())
        self._store = CountingStore(self._plain)
        self._publisher = CountingPublisher(self._broker, publisher)
        self._together = together
        self._shells: dict[str, Shell] = {}
        self._orders = 0
        self.ports = Ports(
            store=self._store,
            publisher=self._publisher,
            dead_letters=self._broker,
            archive=MemoryObjects(),
            drop=MemoryObjects(),
            secrets=MemorySecrets(),
            clock=self._clock,
            dependencies=providers.from_environment({}, MemoryStore(), self._clock, MemorySecrets()),
        )
        self._seed()

    def run(self, path: str) -> Counted:
        """Place an order that ends so, and deliver until nothing is left to deliver."""
        executions = [self._place(path)]
        if path == "cancelled":
            executions.append(self._request("POST", f"/orders/{executions[0].kind}/cancel", b""))
        executions += self.run_to_rest()
        return Counted(path, tuple(executions), self._kept(executions))

    def documents(self, collection: str) -> Iterator[Document]:
        """The documents of a collection as they are stored now."""
        return (stored.document for _, stored in self._plain.scan(collection))

    def run_to_rest(self) -> list[Execution]:
        """Deliver until nothing is left to deliver."""
        executions = []
        while (service := self._next()) is not None:
            executions.append(self.deliver(service))
        return executions

    def _place(self, path: str) -> Execution:
        self._orders += 1
        quantities = {"out-of-stock": 100_000, "high-value": 50, "fraud-suspected": 500}
        quantity = quantities.get(path, 1)
        customer = "hermit" if path == "shipment-refused" else "somebody"
        token = "tok_refused" if path == "payment-refused" else "tok_visa"
        lines = [{"sku": sku, "quantity": quantity} for sku in self._skus]
        body = {"lines": lines, "payment_token": token}
        return self._request("POST", "/orders", canonical(body), customer)

    def _request(self, method: str, path: str, body: bytes, customer: str = "somebody") -> Execution:
        headers = {
            "content-type": "application/json",
            "idempotency-key": f"order-{self._orders}",
            "authorization": customer,
        }
        request = Request(method, path, {}, headers, body)
        api = Api(self._shell("api"), _Trusting())
        execution = Execution("api", len(body))
        response = self._count(execution, lambda: run(api.respond(request), self.ports))
        assert response.status == 202, response.body
        execution.kind = json.loads(response.body)["order_id"]
        return execution

    def deliver(self, service: str) -> Execution:
        """Hand a service the oldest message of its queue."""
        delivery = self._broker.queues[service].popleft()
        execution = Execution(service, message_size(delivery.body, delivery.attributes), delivery.attributes["kind"])
        steps = self._shell(service).deliver(find(service), delivery)
        outcome = self._count(execution, lambda: run(steps, self.ports))
        assert isinstance(outcome, Done), f"{service}: {outcome}"
        return execution

    def _count(self, execution: Execution, act: Any) -> Any:
        self._store.calls.clear()
        self._publisher.calls.clear()
        with redirect_stdout(io.StringIO()) as logged:
            answer = act()
        execution.calls = [*self._store.calls, *self._publisher.calls]
        execution.logged = len(logged.getvalue().encode())
        return answer

    def choose(self, waiting: dict[str, int]) -> str:
        """Which service is next, of those with messages, by the numbers of the oldest: the one with the oldest of
        all."""
        return min(waiting, key=lambda service: waiting[service])

    def _next(self) -> str | None:
        waiting = {
            service: int(queue[0].transport_id.removeprefix("m"))
            for service, queue in self._broker.queues.items()
            if queue
        }
        return self.choose(waiting) if waiting else None

    def _shell(self, service: str) -> Shell:
        made = Shell(self._settings, self._clock, Random(0))  # noqa: S311  counts must repeat; nothing is secret here
        return self._shells.setdefault(service, made) if self._together else made

    def _kept(self, executions: list[Execution]) -> int:
        """Bytes of documents that are this order's own: what was inserted, as it was last written."""
        own: dict[tuple[str, str], int] = {}
        for execution in executions:
            for call in execution.calls:
                if call.operation in ("insert", "replace") and not call.lost and call.collection not in SHARED:
                    document = execution.service if call.collection != "conversations" else "conversations"
                    own[document, call.collection] = call.size
        return sum(own.values())

    def _seed(self) -> None:
        for number, sku in enumerate(self._skus, 1):
            state = {"sku": sku, "name": sku, "unit_price": 1_000 * number, "currency": "EUR"}
            self._insert("catalogue", safe_key(sku), state)
            for shard in range(self._shards):
                shelf = Stock(spread=self._shards, available=1_000, replenished=1_000)
                self._insert(STOCK, stock_key(sku, shard), shelf.model_dump(mode="json"))
        address = {"street": "High Street 1", "city": "Springfield", "postcode": "12345", "country": "US"}
        contact = {"name": "Jo Doe", "address": address, "email": "jo@example.com", "sms": "+15550100", "push": "d1"}
        self._insert("customers", safe_key("somebody"), contact)

    def _insert(self, collection: str, key: str, state: Document) -> None:
        self._plain.insert(collection, key, {"schema": 1, "rev": 1, "state": state})


SHARED = frozenset({STOCK, "analytics"})
"""Collections whose documents many orders share."""


def count(path: str, *, together: bool = False) -> Counted:
    """Count an order's calls. ``together`` as in `Workflow`, after some orders before it."""
    workflow = Workflow(together=together)
    for _ in range(_WARMING if together else 0):
        workflow.run(path)
    return workflow.run(path)


def message_size(body: bytes, attributes: Any) -> int:
    """Bytes of a message as brokers count it: body, and names and values of its attributes."""
    return len(body) + sum(len(name.encode()) + len(value.encode()) for name, value in attributes.items())
