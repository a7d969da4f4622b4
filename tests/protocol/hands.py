"""Handlers driven by hand: a test performs their steps in the order it wants, and lets them die where it wants."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from orderflow import deadletters, files, sweeper
from orderflow.api import Api
from orderflow.envelope import Envelope
from orderflow.events import Event, Line, OrderCancelled, OrderPlaced, ShipmentCreated
from orderflow.http import Request
from orderflow.ports import DeadLetter, Delivery, Ports, Stored, Unavailable
from orderflow.processing import Done, Shell
from orderflow.record import Cause, envelopes
from orderflow.services import find
from orderflow.services.inventory import Stock, stock_key
from orderflow.settings import Settings
from orderflow.steps import Ask, Get, Publish, Put, Steps
from orderflow_local.memory import MemoryObjects, MemorySecrets
from simulation.invariants import Watch
from simulation.outside import Carrier, Gateway, Messenger
from simulation.store import SimulatedStore
from simulation.weather import Weather
from simulation.world import SkewedClock, Violation, World

Match = Callable[[Any], bool]


def get(collection: str) -> Match:
    """Reading from a collection."""
    return lambda step: isinstance(step, Get) and step.collection == collection


def put(collection: str, **state: Any) -> Match:
    """Writing to a collection, a document with these values in its state."""
    return lambda step: (
        isinstance(step, Put)
        and step.collection == collection
        and all(step.document["state"].get(name) == value for name, value in state.items())
    )


def ask(method: str) -> Match:
    """Calling an external system."""
    return lambda step: isinstance(step, Ask) and step.method == method


def publish(step: Any) -> bool:
    """Publishing."""
    return isinstance(step, Publish)


class Hand:
    """One handler, held before its next step."""

    def __init__(self, ports: Ports, handler: Steps[Any]) -> None:
        self._ports = ports
        self._handler = handler
        self.result: Any = None
        self.step: Any = None
        self._go_on(None)

    def before(self, match: Match) -> Hand:
        """Go on up to a step that matches, without performing it."""
        while not match(self.step):
            assert self.step is not None, f"ended with {self.result} before the step that the test waits for"
            self.perform()
        return self

    def after(self, match: Match) -> Hand:
        """Go on up to and with a step that matches."""
        return self.before(match).perform()

    def perform(self) -> Hand:
        """Perform the next step."""
        try:
            answer = self.step.perform(self._ports)
        except (Violation, AssertionError):
            raise
        except Exception as error:
            answer = error
        self._go_on(answer)
        return self

    def unanswered(self, *, done: bool) -> Hand:
        """Let the next step have its effect or not, and its answer be lost."""
        if done:
            self.step.perform(self._ports)
        self._go_on(Unavailable("the answer was lost"))
        return self

    def answered(self, answer: Any) -> Hand:
        """Give an answer without performing the next step."""
        self._go_on(answer)
        return self

    def finish(self) -> Any:
        """Go on to the end; answers the handler's result, raises what it raised."""
        while self.step is not None:
            self.perform()
        return self.result

    def _go_on(self, answer: Any) -> None:
        try:
            thrown = isinstance(answer, Exception)
            self.step = self._handler.throw(answer) if thrown else self._handler.send(answer)
        except StopIteration as end:
            self.step, self.result = None, end.value


class Scene:
    """A workflow without brokers: what is published is kept, and handed to services when the test says so."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(**{"log_level": "ERROR", **settings})
        self.world = World(0)
        self.store = SimulatedStore(self.world, through_json=True)
        self.watch = Watch(self.settings, self.world)
        self.store.watchers.append(self.watch.written)
        self.gateway = Gateway(self.world, self.settings.gateway_key_life, Weather())
        self.carrier = Carrier(self.world)
        self.published: list[Envelope] = []
        self.letters: list[DeadLetter] = []
        self._heard: dict[str, Envelope] = {}
        self.ports = Ports(
            store=self.store,
            publisher=self,
            dead_letters=self,  # type: ignore[arg-type]  # what no tool here calls is not there
            archive=MemoryObjects(),
            drop=MemoryObjects(),
            clock=self,
            dependencies={
                "gateway": self.gateway,
                "carrier": self.carrier,
                **{channel: Messenger(self.world) for channel in ("email", "sms", "push")},
            },
            secrets=MemorySecrets(),
        )
        self.restart()
        price = {"sku": "A", "name": "A", "unit_price": 100, "currency": "EUR"}
        self.write("catalogue", "A", price)
        address = {"street": "s", "city": "c", "postcode": "1", "country": "DE"}
        self.write("customers", "c", {"name": "n", "address": address})

    # The ports

    def publish(self, batch: Any) -> list[Exception | None]:
        for envelope in batch:
            self.watch.published(envelope)
            self.published.append(envelope)
        return [None for _ in batch]

    def send(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    def remove(self, letter: DeadLetter) -> None:
        self.letters.remove(letter)

    def now(self) -> float:
        return self.world.time

    def sleep(self, seconds: float) -> None:
        self.world.time += seconds

    def subject(self, authorization: str | None) -> str:
        return "c"

    # What happens

    def restart(self) -> None:
        """The process ended, and another begins: it remembers nothing."""
        self.shell = Shell(self.settings, SkewedClock(self.world, 0.0), Random(0))
        self.api = Api(self.shell, self)  # type: ignore[arg-type]  # its own token verifier

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.world.time += seconds

    def deliver(self, service: str, event: Event | Envelope) -> Hand:
        """Hand an event to a service, and hold the handler before its first step."""
        envelope = event if isinstance(event, Envelope) else self.envelope(event)
        return Hand(self.ports, self.shell.deliver(find(service), Delivery(envelope.to_bytes())))

    def hears(self, service: str, event: Event | Envelope) -> Any:
        """Let a service handle an event to its end."""
        return self.deliver(service, event).finish()

    def request(self, method: str, path: str, body: bytes = b"", key: str = "k") -> Hand:
        """Send a request to the API, and hold its handler before its first step."""
        headers = {"authorization": "Bearer c", "idempotency-key": key}
        return Hand(self.ports, self.api.respond(Request(method, path, {}, headers, body)))

    def place(self, quantity: int = 1) -> tuple[Hand, Callable[[], str]]:
        """Place an order over some A; answers the handler, and the order's id once there is one."""
        body = b'{"lines": [{"sku": "A", "quantity": %d}], "payment_token": "good"}' % quantity
        return self.request("POST", "/orders", body), lambda: next(iter(self.store.all("orders")))[0]

    def sweep(self) -> None:
        """Let the sweeper look at what is due."""
        Hand(self.ports, sweeper.sweep(self.shell)).finish()

    def arrive(self, row_id: str, quantity: int) -> Hand:
        """A row of a stock file."""
        arrival = files.Arrival(row_id=row_id, sku="A", quantity=quantity)
        cause = Cause(id=row_id, digest="d", correlation_id=row_id)
        return Hand(self.ports, self.shell.handle(files.RECEIPTS, cause, arrival, "2027-01-15T08:00:00.000Z"))

    def discard(self, service: str, letter: DeadLetter) -> str | None:
        """An operator throws a letter away."""
        answer: str | None = Hand(self.ports, deadletters.discard(self.shell, find(service), letter)).finish()
        return answer

    def settle(self) -> None:
        """Hand everything that was published to everybody who hears it, until nothing new is."""
        seen = 0
        while seen < len(self.published):
            envelope, seen = self.published[seen], seen + 1
            attributes = envelope.attributes()
            for name in ("order", "inventory", "payment", "shipping"):
                filters = find(name).subscription_filter()
                if all(attributes.get(field) in values for field, values in filters.items()):
                    outcome = self.hears(name, envelope)
                    assert isinstance(outcome, Done), f"{name} {envelope.kind}: {outcome}"

    # What is there

    def write(self, collection: str, key: str, state: dict[str, Any]) -> None:
        """Write a document as somebody else."""
        stored: Stored | None = self.store.get(collection, key)
        rev = stored.document["rev"] + 1 if stored else 1
        document = {"schema": 1, "rev": rev, "state": state}
        if stored is None:
            self.store.insert(collection, key, document)
        else:
            self.store.replace(collection, key, document, stored)

    def shelve(self, *units: int, sku: str = "A") -> None:
        """Put units into stock, shard by shard."""
        for shard, available in enumerate(units):
            stock = Stock(spread=len(units), available=available, replenished=available)
            self.write("stock", stock_key(sku, shard), stock.model_dump())

    def sell(self, shard: int, sku: str = "A") -> None:
        """Let others have what is available in a shard."""
        key = stock_key(sku, shard)
        stock = Stock.model_validate(self.state("stock", key))
        sold = {"available": 0, "shipped": stock.shipped + stock.available}
        self.write("stock", key, stock.model_copy(update=sold).model_dump(mode="json"))

    def state(self, collection: str, key: str) -> dict[str, Any]:
        """The state of a document."""
        stored = self.store.get(collection, key)
        assert stored is not None, f"there is no {collection}/{key}"
        state: dict[str, Any] = stored.document["state"]
        return state

    def status(self, collection: str, key: str = "o") -> str:
        """The status of a document, ``missing`` where there is none."""
        stored = self.store.get(collection, key)
        return stored.document["state"]["status"] if stored else "missing"

    def stock(self, shard: int = 0) -> tuple[int, int, int]:
        """Units of A in one shard: available, held, shipped."""
        state = self.state("stock", stock_key("A", shard))
        return state["available"], sum(quantity for quantity, _ in state["open"].values()), state["shipped"]

    def units(self) -> dict[str, tuple[int, int]]:
        """Units available and held, by shard; a shard that nothing was ever in is not named."""
        return {
            key: (document["state"]["available"], sum(each[0] for each in document["state"]["open"].values()))
            for key, document in self.store.all("stock")
            if document["state"]["replenished"]
        }

    def kinds(self) -> list[str]:
        """What was published, in order."""
        return [envelope.kind for envelope in self.published]

    def envelope(self, event: Event) -> Envelope:
        """An event as another service published it: the same message every time."""
        said = f"{event.kind()} {event.model_dump_json()}"
        if said not in self._heard:
            cause = Cause(f"cause-of-{event.kind()}-{event.subject}", "digest", event.subject)
            [self._heard[said]] = envelopes("elsewhere", cause, (event,), self.world.time)
        return self._heard[said]


def placed(*quantities: int, order_id: str = "o") -> OrderPlaced:
    """An order over some A, a line a quantity."""
    lines = tuple(Line(sku="A", quantity=quantity, unit_price=100) for quantity in quantities or (1,))
    return OrderPlaced(
        order_id=order_id,
        customer_id="c",
        lines=lines,
        total=100 * sum(line.quantity for line in lines),
        currency="EUR",
        payment_token="good",
        tier="standard",
        placed_at="2027-01-15T08:00:00.000Z",
    )


def cancelled(order_id: str = "o") -> OrderCancelled:
    """Its cancellation."""
    return OrderCancelled(order_id=order_id, customer_id="c", reason="test", total=100, currency="EUR")


def shipped(order_id: str = "o") -> ShipmentCreated:
    """Its shipment."""
    return ShipmentCreated(order_id=order_id, customer_id="c", tracking="t", placed_at="2027-01-15T08:00:00.000Z")
