"""A running cloud as a test of the suite uses it: local or deployed, through public doors only."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import httpx

from conformance.in_process import withheld
from orderflow.deadletters import redrive
from orderflow.driver import run
from orderflow.envelope import Envelope, rfc3339
from orderflow.events import Event, OrderPlaced
from orderflow.keys import safe_key
from orderflow.ports import Conflict, DeadLetter, Ports
from orderflow.processing import Shell
from orderflow.providers.simulated import MODE_LIFE_SECONDS, set_mode
from orderflow.record import Record, load
from orderflow.services import SERVICES, find
from orderflow.services.inventory import Stock
from orderflow.settings import Settings
from orderflow_cli.invariants import Verdict, check
from orderflow_cli.shelves import shards
from orderflow_local.cloud import Depth, LocalCloud
from orderflow_local.cutter import Cutter
from waiting import wait_until

ADDRESS = {"street": "Straße 1", "city": "Łódź", "postcode": "10115", "country": "DE"}
CONTACT = {"name": "Zoë Ångström 千代", "address": ADDRESS, "email": "zoe@example.com"}
_ABOUT_ONE_ORDER = ("order", "inventory", "payment", "shipping", "fraud", "notification")


@dataclass(frozen=True, slots=True)
class Machine:
    """What only a cloud on this machine lets one do: look into queues and logs, kill, and cut connections."""

    cloud: LocalCloud
    cutter: Cutter
    log_lines: Callable[[], Iterable[dict[str, Any]]]


@dataclass
class World:
    """One running cloud. ``environ`` is what reaches it through the SDKs; ``machine`` is None for a deployed one."""

    name: str
    api_url: str
    ports: Ports
    token: Callable[[str], str]
    environ: Mapping[str, str]
    machine: Machine | None = None

    # People and goods

    def client(self, customer: str) -> httpx.Client:
        """An HTTP client of the API with a customer's token."""
        return self.anonymous({"authorization": f"Bearer {self.token(customer)}"})

    def anonymous(self, headers: dict[str, str] | None = None) -> httpx.Client:
        """An HTTP client of the API with headers of one's own."""
        return httpx.Client(base_url=self.api_url, headers=headers, timeout=30)

    def customer(self, country: str = "DE", customer: str | None = None) -> httpx.Client:
        """A new customer with an address, as an HTTP client."""
        client = self.client(customer or f"customer-{uuid.uuid4()}")
        contact = {**CONTACT, "address": {**ADDRESS, "country": country}}
        assert client.put("/customers/me", json=contact).status_code == 200
        return client

    def stocked(self, units: int, price: int = 1000, sku: str | None = None) -> str:
        """A new SKU with so many units on the shelves."""
        sku = sku or f"SKU-{uuid.uuid4().hex[:12].upper()}"
        self.ports.drop.put(f"catalogue/{sku}.csv", f"sku,name,unit_price,currency\n{sku},Thing,{price},EUR\n".encode())
        self.ports.drop.put(f"stock/{sku}.csv", f"sku,quantity\n{sku},{units}\n".encode())
        wait_until(lambda: self._loaded(sku, units), f"{sku} to be on the shelves of {self.name}")
        return sku

    def _loaded(self, sku: str, units: int) -> bool:
        on_shelves = sum(shard.replenished for shard in self.shelves(sku))
        return on_shelves == units and self.ports.store.get("catalogue", safe_key(sku)) is not None

    def shelves(self, sku: str) -> list[Stock]:
        """The shards of a SKU's stock."""
        return shards(self.ports.store.get, sku)

    # Orders

    def ended(self, client: httpx.Client, order_id: str) -> dict[str, Any]:
        """The order once nothing more will happen to it."""
        shown: dict[str, Any] = {}

        def closed() -> bool:
            nonlocal shown
            shown = client.get(f"/orders/{order_id}").json()
            return bool(shown["closed"])

        wait_until(closed, f"order {order_id} to end on {self.name}")
        return shown

    def at_rest(
        self,
        order_ids: Iterable[str] = (),
        stocked: dict[str, int] | None = None,
        *,
        crashes: bool = False,
        within_s: float = 120.0,
    ) -> Verdict:
        """Wait until nothing is on its way any more and every promise about these orders holds; answers the verdict.
        Fails the test with what is broken where it never does. (Dead letters of other tests do not count: I6.) With
        ``crashes`` a message may have been sent again: between the provider's answer and its record."""
        order_ids = list(order_ids)
        verdict = Verdict()

        def broken() -> dict[str, list[str]]:
            return {name: lines for name, lines in verdict.broken.items() if lines and name != "I6"}

        def holds() -> bool:
            nonlocal verdict
            if not self._quiet():
                return False
            verdict = check(self.ports, order_ids, stocked or {}, crashes=crashes)
            return not broken()

        try:
            wait_until(holds, f"{self.name} to be at rest", within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; broken: {broken()}") from None
        return verdict

    def _quiet(self) -> bool:
        """Whether every queue was found empty twice: between two queues a message is in neither. Where one cannot look
        into the queues, what the documents say must do."""
        if self.machine is None:
            return True
        return not any(_busy(self.machine.cloud.depths()) for _ in range(2))

    def records(self, order_id: str) -> dict[str, Record[Any]]:
        """The documents about one order, by service."""
        found = {
            name: load(find(name), self.ports.store.get(find(name).collection, safe_key(order_id)))
            for name in _ABOUT_ONE_ORDER
        }
        return {name: record for name, record in found.items() if record.state is not None}

    def emitted(self, order_id: str) -> list[Envelope]:
        """Every event that was emitted about one order."""
        return [envelope for record in self.records(order_id).values() for envelope in record.emitted()]

    def state(self, service: str, order_id: str) -> Any:
        """What a service holds about an order, None where nothing."""
        declared = find(service)
        return load(declared, self.ports.store.get(declared.collection, safe_key(order_id))).state

    def unpublished(self, sku: str, quantity: int = 1, *, cancelled: bool = False) -> list[Envelope]:
        """The events of an order that is in the store and was never published: its API died in between. With
        ``cancelled`` it was cancelled as well."""
        customer = f"customer-{uuid.uuid4()}"
        requests: list[tuple[str, str, Any]] = [
            ("PUT", "/customers/me", CONTACT),
            ("POST", "/orders", order(sku, quantity=quantity)),
        ]
        if cancelled:
            requests.append(("POST", "/orders/{order_id}/cancel", None))
        return withheld(self.ports, customer, requests)

    def closed(self, order_id: str) -> bool:
        """Whether nothing more will happen to an order, as its document says."""
        return bool(self.state("order", order_id).closed)

    def rewind(self, order_id: str, **update: float) -> None:
        """Set times of an order's document, as if they had passed. The service may write it at the same time: whoever
        comes second reads it again."""
        service = find("order")

        def rewound() -> bool:
            stored = self.ports.store.get(service.collection, safe_key(order_id))
            assert stored is not None
            record = load(service, stored)
            assert record.state is not None
            past = replace(record, state=record.state.model_copy(update=update))
            try:
                self.ports.store.replace(service.collection, safe_key(order_id), past.to_document(service), stored)
            except Conflict:
                return False
            return True

        wait_until(rewound, "the order's document to be rewound")

    # Trouble

    def letters(self, text: str, *services: str) -> list[DeadLetter]:
        """The dead letters with a text in them, such as an event's id or an order's, of some or of all services."""
        return [
            letter
            for service in services or SERVICES
            for letter in self.ports.dead_letters.browse(service, 1000)
            if text.encode() in letter.body
        ]

    def letter(self, text: str, service: str) -> DeadLetter:
        """The one dead letter with a text in it, once it is there."""
        wait_until(lambda: bool(self.letters(text, service)), f"a dead letter of {service} on {self.name}")
        [letter] = self.letters(text, service)
        return letter

    def publish(self, *envelopes: Envelope) -> None:
        """Publish events to the topic; fails the test where the broker does not take one."""
        assert [error for error in self.ports.publisher.publish(envelopes) if error] == []

    def break_provider(self, name: str, mode: str | None) -> None:
        """Let a simulated provider be ``down``, ``slow`` or ``refuse``; None mends it. Returns when every function has
        noticed: each believes what it has read for `MODE_LIFE_SECONDS`."""
        set_mode(self.ports.store, name, mode or "ok")
        noticed_at = time.monotonic() + MODE_LIFE_SECONDS
        wait_until(lambda: mode is None or time.monotonic() > noticed_at, "the functions to notice")

    def deliver(self, service: str, body: bytes, attributes: Mapping[str, str] | None = None) -> None:
        """Put a message of any bytes into one service's queue, past the topic: what a redrive does."""
        letter = DeadLetter(service, body, attributes or {}, "conformance", "", 0, "", "")
        self.ports.dead_letters.resend(letter)

    def redrive(self, letter: DeadLetter) -> str | None:
        """What an operator's redrive does; answers why it was refused, if it was."""
        shell = Shell(Settings(), self.ports.clock, Random(0))
        return run(redrive(shell, find(letter.service), letter), self.ports)

    @contextmanager
    def broken(self, provider: str, mode: str) -> Iterator[None]:
        """A provider in trouble for the length of a block."""
        self.break_provider(provider, mode)
        try:
            yield
        finally:
            self.break_provider(provider, None)

    def log(self, message: str, event_id: str) -> list[dict[str, Any]]:
        """The lines of one kind that the functions of this machine have logged about an event."""
        assert self.machine is not None
        return [
            line for line in self.machine.log_lines() if line["message"] == message and line.get("event_id") == event_id
        ]


def order(*skus: str, quantity: int = 1, token: str = "tok_visa") -> dict[str, Any]:
    """The body of an order, one line for each SKU."""
    return {"lines": [{"sku": sku, "quantity": quantity} for sku in skus], "payment_token": token}


def placed(client: httpx.Client, body: dict[str, Any], key: str | None = None) -> str:
    """Place an order; answers its id."""
    answer = client.post("/orders", json=body, headers={"idempotency-key": key} if key else {})
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["order_id"]
    return order_id


def fact(event: Event, **more: Any) -> Envelope:
    """An event as somebody else would have published it, with an id of its own; keywords change its attributes."""
    data = event.model_dump(mode="json", exclude_none=True)
    attributes: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "source": "/conformance",
        "type": event.type_name(),
        "subject": event.subject,
        "time": rfc3339(time.time()),
        "correlationid": event.subject,
        "kind": event.kind(),
        "category": event.category,
        "tier": data.get("tier"),
        "channel": data.get("channel"),
        "data": data,
    }
    return Envelope(**{**attributes, **more})


def order_placed(sku: str, quantity: int = 1, **more: Any) -> OrderPlaced:
    """The event of an order that the API never took: only who hears it knows of it."""
    given: dict[str, Any] = {
        "order_id": str(uuid.uuid4()),
        "customer_id": "nobody",
        "lines": ({"sku": sku, "quantity": quantity, "unit_price": 1000},),
        "total": 1000 * quantity,
        "currency": "EUR",
        "payment_token": "tok_visa",
        "tier": "standard",
        "placed_at": rfc3339(time.time()),
    }
    return OrderPlaced.model_validate({**given, **more})


def _busy(depths: Mapping[str, Depth]) -> bool:
    return any(depth.waiting or depth.in_flight for depth in depths.values())
