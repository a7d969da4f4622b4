"""What customers, suppliers and operators do in a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from orderflow.envelope import Envelope
from orderflow.http import Request, Response
from orderflow.keys import safe_key
from orderflow.ports import Document
from orderflow.services import find
from orderflow.services.inventory import Stock, stock_key
from orderflow.settings import Settings
from simulation.broker import Broker
from simulation.signing import WAYS, foreign
from simulation.store import SimulatedStore
from simulation.weather import Weather
from simulation.workers import FILES, Fleet, Invocation
from simulation.world import Violation, World

TIMEOUT_S = 15.0
PRICES = {"A": 1_000, "B": 30_000, "C": 120_000}
COUNTRIES = ("DE", "DE", "DE", "FR", "FR", "AQ")


@dataclass(slots=True)
class Wish:
    """An order that a customer wants, and what became of the request."""

    customer: str
    key: str
    lines: list[dict[str, Any]]
    token: str
    order_id: str | None = None
    refused: str | None = None
    tries: int = 0
    answered: list[int] = field(default_factory=list)

    def body(self) -> bytes:
        return json.dumps({"lines": self.lines, "payment_token": self.token}).encode()


class Workload:
    """Draws what people do, puts it on the agenda, and remembers what they were promised."""

    def __init__(
        self, world: World, store: SimulatedStore, broker: Broker, fleet: Fleet, settings: Settings, weather: Weather
    ) -> None:
        self.wishes: list[Wish] = []
        self.arrived: dict[str, int] = dict.fromkeys(PRICES, 0)
        """Units by SKU that were in stock or came in a good row of a stock file."""
        self.articles: list[str] = []
        """SKUs that suppliers have handed in a price of."""
        self.poison: list[tuple[str, bytes]] = []
        """What was put into queues that is none of ours."""
        self.forged: list[tuple[str, bytes]] = []
        """Messages that look like events and are none of ours, which nobody may handle."""
        self.foreign: list[tuple[str, Envelope]] = []
        """Those of them that no key of ours has signed, where signatures are required."""
        self.customers: list[str] = []
        self.last = 0.0
        self._world = world
        self._store = store
        self._broker = broker
        self._fleet = fleet
        self._settings = settings
        self._weather = weather
        fleet.erase = self._erase

    def prepare(self, orders: int) -> None:
        """Fill shelves and put everything on the agenda."""
        random = self._world.random
        self.customers = [f"customer-{number}" for number in range(random.randint(1, 3))]
        for customer in self.customers:
            if random.random() < 0.9:
                self._store.insert("customers", customer, {"schema": 1, "rev": 1, "state": self._person()})
        scarce = random.random() < 0.25  # An order needs several shards, and others want the same ones.
        for sku, price in PRICES.items():
            state = {"sku": sku, "name": sku, "unit_price": price, "currency": "EUR"}
            self._store.insert("catalogue", sku, {"schema": 1, "rev": 1, "state": state})
            wide = self._settings.stock_shards if scarce else random.randint(1, self._settings.stock_shards)
            for shard in range(wide):
                self._shelve(sku, shard, random.choice((1, 2, 3) if scarce else (0, 3, 10, 40)), wide)
        spread = random.choice((0.1, 5.0, 60.0))
        for number in range(orders):
            at = random.random() * spread
            self.last = max(self.last, at)
            self._world.after(at, self._place, self._wish(number))
        for number in range(2 if self._weather.rare else random.choice((0, 0, 1, 2))):
            at = random.random() * (self.last + 60.0)
            self._world.after(at, self._drop, number)
        for number in range(4 if self._weather.rare else random.random() < 0.1):
            self._world.after(random.random() * (self.last + 60.0), self._reprice, number)
        for _ in range(random.choice((0, 0, 1, 4))):
            self._world.after(random.random() * (self.last + 30.0), self._move_house)
        for _ in range(self._weather.poison):
            self._world.after(random.random() * spread, self._poison)
        for _ in range(random.choice((0, 0, 1))):
            self._world.after(random.random() * spread, self._forge, 20)
        for way in WAYS if self._settings.signatures == "require" else ():
            self._world.after(random.random() * (spread + 10.0), self._send_foreign, way, 20)
        for _ in range(self._weather.outages):
            at = random.random() * (self.last + 60.0)
            self._world.after(at, self._outage, random.choice((5.0, 20.0, 60.0, 300.0, 7200.0)) * random.random())

    def _person(self) -> Document:
        random = self._world.random
        address = {"street": "s", "city": "c", "postcode": "1", "country": random.choice(COUNTRIES)}
        person: Document = {"name": "n", "address": address, "email": "n@example.com"}
        if random.random() < 0.5:
            person |= {"sms": "+49123456789", "push": "p"}
        return person

    def _shelve(self, sku: str, shard: int, quantity: int, spread: int) -> None:
        if quantity or (not shard and spread > 1):
            stock = Stock(spread=spread, available=quantity, replenished=quantity)
            self._store.insert(
                "stock", stock_key(sku, shard), {"schema": 1, "rev": 1, "state": stock.model_dump(mode="json")}
            )
            self.arrived[sku] += quantity

    def _wish(self, number: int) -> Wish:
        random = self._world.random
        lines = [
            {"sku": random.choice("AAABBC"), "quantity": random.choice((1, 1, 2, 3, 8))}
            for _ in range(random.choice((1, 1, 2, 3)))
        ]
        token = "refused" if random.random() < 0.15 else "good"
        wish = Wish(random.choice(self.customers), f"key-{number}", lines, token)
        self.wishes.append(wish)
        return wish

    # Customers

    def request(self, method: str, path: str, customer: str, body: bytes, key: str | None, then: Any) -> None:
        """Send a request; ``then`` is given the response, or None where none came."""
        headers = {"authorization": customer} | ({"idempotency-key": key} if key else {})
        process = self._fleet.process("api")
        Invocation(
            self._fleet,
            process,
            "api",
            [process.api.respond(Request(method, path, {}, headers, body))],
            [(path, "")],
            TIMEOUT_S,
            lambda results: then(self._received(results[0])),
            lambda: then(None),
            guarded=False,
        )

    def _received(self, response: Any) -> Response | None:
        if isinstance(response, Exception):
            raise Violation(f"the API raised {type(response).__name__}: {response}")
        assert isinstance(response, Response)
        if response.status == 500:
            raise Violation(f"the API answered 500: {response.body!r}")
        if self._fleet.stormy and self._world.chance(self._weather.ack_lost):
            self._world.coverage["answer request", "answer lost"] += 1
            return None
        return response

    def _place(self, wish: Wish) -> None:
        random = self._world.random
        wish.tries += 1

        def then(response: Response | None) -> None:
            self._note(wish.key, "answered", response)
            if response is None or response.status == 503:
                self._world.after(random.random() * 5, self._place, wish)
                return
            body = json.loads(response.body)
            if response.status != 202:
                raise Violation(f"placing {wish.key} was answered {response.status}: {body}")
            if wish.order_id is not None and wish.order_id != body["order_id"]:
                raise Violation(f"{wish.key} made two orders: {wish.order_id} and {body['order_id']}")
            first = wish.order_id is None
            wish.order_id = body["order_id"]
            if first:
                self._afterwards(wish)

        self.request("POST", "/orders", wish.customer, wish.body(), wish.key, then)
        if wish.tries == 1 and random.random() < 0.2:
            self._world.after(random.random() * 3 * self._weather.step_s, self._place, wish)

    def _afterwards(self, wish: Wish) -> None:
        """A customer may change their mind, look, or misuse the key."""
        random = self._world.random
        if random.random() < 0.25:
            soon = random.choice((20 * self._weather.step_s, 20 * self._weather.step_s, 1.0, 30.0)) * random.random()
            self._world.after(soon, self._cancel, wish)
        if random.random() < 0.1:
            self._world.after(random.random(), self._misuse, wish)
        if random.random() < 0.2:
            self._world.after(random.random() * 10, self._look, wish)

    def _cancel(self, wish: Wish) -> None:
        def then(response: Response | None) -> None:
            self._note(wish.key, "cancel answered", response)
            if response is None or response.status == 503 or (response.status == 409 and b"busy" in response.body):
                self._world.after(self._world.random.random() * 5, self._cancel, wish)
            elif response.status not in (202, 409):
                raise Violation(f"cancelling {wish.order_id} was answered {response.status}")

        self.request("POST", f"/orders/{wish.order_id}/cancel", wish.customer, b"", None, then)

    def _misuse(self, wish: Wish) -> None:
        if self._world.random.random() < 0.5:
            other = replace(wish, lines=[{"sku": "A", "quantity": 77}])
        else:
            other = replace(wish, token="another")

        def then(response: Response | None) -> None:
            if response is not None and response.status not in (409, 503):
                raise Violation(f"{wish.key} with another body was answered {response.status}")

        self.request("POST", "/orders", wish.customer, other.body(), wish.key, then)

    def _look(self, wish: Wish) -> None:
        def then(response: Response | None) -> None:
            if response is not None and response.status not in (200, 503):
                raise Violation(f"looking at {wish.order_id} was answered {response.status}")

        self.request("GET", f"/orders/{wish.order_id}", wish.customer, b"", None, then)

    def _move_house(self) -> None:
        """A customer has another address, or no data any more."""
        customer = self._world.random.choice(self.customers)
        stored = self._store.get("customers", safe_key(customer))
        self._note(customer, "moves or is erased", None)
        if stored is None:
            self._store.insert("customers", customer, {"schema": 1, "rev": 1, "state": self._person()})
        elif self._fleet.stormy and self._world.random.random() < 0.5:
            self._store.delete("customers", customer, stored)
        else:
            document = {"schema": 1, "rev": stored.document["rev"] + 1, "state": self._person()}
            self._store.replace("customers", customer, document, stored)

    def _erase(self, order_id: str) -> None:
        """The data of the customer of an order go, and nothing is sent to them any more."""
        shipment = self._store.get("shipments", order_id)
        assert shipment is not None
        customer = shipment.document["state"]["customer_id"]
        stored = self._store.get("customers", safe_key(customer))
        if self._fleet.stormy and stored is not None:
            self._note(customer, "is erased", None)
            self._store.delete("customers", customer, stored)

    def settle_in(self) -> None:
        """Everybody has an address again: what waits for one can go on."""
        for customer in self.customers:
            if self._store.get("customers", customer) is None:
                self._store.insert("customers", customer, {"schema": 1, "rev": 1, "state": self._person()})

    # Suppliers

    def _drop(self, number: int) -> None:
        random = self._world.random
        # A name may come again with other content, once the first has been read.
        names = [
            name
            for (service, name), note in self._fleet.acknowledged.items()
            if (service, note) == (FILES, "loaded") and name.startswith("stock/")
        ]
        rows = ["sku,quantity"]
        for _ in range(random.randint(1, 3)):
            sku, quantity = random.choice("ABC"), 10 * number + random.choice((1, 3, 10))
            rows.append(f"{sku},{quantity}")
            self.arrived[sku] += quantity
        if random.random() < (0.8 if self._weather.rare else 0.3):
            rows.append("A,-5")
        self._hand_in(names[0] if names else f"stock/{number}.csv", rows)

    def _reprice(self, number: int) -> None:
        """A file of prices: one that is known, and one of a SKU that nobody orders."""
        self.articles.append(f"NEW-{number}")
        prices = [f"B,B,{PRICES['B'] + number},EUR", f"NEW-{number},new,100,EUR"]
        self._hand_in(f"catalogue/{number}.csv", ["sku,name,unit_price,currency", *prices])

    def _hand_in(self, name: str, rows: list[str]) -> None:
        self._fleet.ports.drop.put(name, "\n".join(rows).encode())
        self._broker.enqueue(FILES, name.encode(), {}, name, name)
        if self._world.random.random() < 0.3:
            if self._weather.duplicate:
                self._world.coverage[f"deliver to {FILES}", "duplicate"] += 1
            self._broker.enqueue(FILES, name.encode(), {}, name, name)

    # Operators and others

    def _poison(self) -> None:
        random = self._world.random
        service = random.choice(list(self._broker.filters))
        body = random.choice((b"", b"{", b"\xff\xfe", b"[]", b'{"specversion":"1.0"}', b"null"))
        self.poison.append((service, body))
        self._broker.enqueue(service, body, {}, "poison", "")

    def _forge(self, tries: int) -> None:
        """Somebody sends payment an order that it knows with another total; best while it is still at work on it."""
        known = [
            (bool(document.get("pending")), envelopes[0])
            for key, document in self._store.all("payments")
            for cause in (*document.get("pending", ()), *(entry[0] for entry in document["absorbed"]))
            if (envelopes := self._broker.published.get(cause)) and envelopes[0].kind == "OrderPlaced"
        ]
        if tries and not any(pending for pending, _ in known):
            self._world.after(self._world.random.random(), self._forge, tries - 1)
        elif known:
            _, envelope = max(known, key=lambda each: each[0])
            forged = envelope.replace(data={**envelope.data, "total": envelope.data["total"] + 1})
            body = forged.to_bytes()
            self.forged.append(("payment", body))
            self._broker.enqueue("payment", body, forged.attributes(), forged.subject, forged.id)

    def _send_foreign(self, way: str, tries: int) -> None:
        """Somebody sends a service that would act on it an event that none of ours has published."""
        published = [envelopes[0] for envelopes in self._broker.published.values()]
        if not published:
            if tries:
                self._world.after(5.0, self._send_foreign, way, tries - 1)
            return
        envelope = foreign(self._world.random.choice(published), way)
        services = [name for name in self._broker.filters if find(name).lets_through(envelope.to_dict())]
        if services:
            service, body = self._world.random.choice(services), envelope.to_bytes()
            self.forged.append((service, body))
            self.foreign.append((service, envelope))
            self._broker.enqueue(service, body, envelope.attributes(), envelope.subject, envelope.id)

    def _outage(self, seconds: float) -> None:
        name = self._world.random.choice(("topic", "topic", *sorted(self._fleet.ports.dependencies)))
        self._world.note("weather", f"{name} is down for {seconds:.0f} s")
        if name == "topic":
            self._fleet.topic_down_until = self._world.time + seconds
        else:
            self._fleet.ports.dependencies[name].go_down(seconds)

    def _note(self, who: str, what: str, response: Response | None) -> None:
        told = f"{response.status} {response.body.decode()[:100]}" if response else ""
        self._world.note("customer", f"{who} {what}", told, (who,))
