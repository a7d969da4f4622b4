"""Any history of a service: its events in any order and any number of times, each handling of them broken at any step
or none, and any time passing between. Whatever the history, no document makes a move that is not in `MOVES`, a state
that is an end stays, sums are right at every write, and once nothing breaks any more everything is settled.

Beside these assertions every write and publish of a `Scene` is watched: a second charge, a second refund, an event
absorbed twice, emitted twice or published with other bytes ends the run (`simulation.invariants`, `.outside`)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orderflow.envelope import Envelope
from orderflow.events import (
    Event,
    FraudCleared,
    FraudSuspected,
    InventoryReleased,
    InventoryReserved,
    OrderConfirmed,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    PaymentVoided,
    ShipmentRefused,
    Shortage,
    Units,
)
from orderflow.ports import Conflict, Document
from orderflow.processing import Done
from orderflow.record import Cause, Record, envelopes
from orderflow.services.order import SERVICE as ORDER
from orderflow.services.order import Order
from orderflow.services.order import placed as of
from orderflow.steps import Ask, Publish, Put
from protocol.hands import Hand, Scene, cancelled, placed, shipped
from simulation.outside import Gateway
from simulation.weather import Weather
from unit.support import new_order

ORDERS = ("o", "p")
PLACED_AT = "2027-01-15T08:00:00.000Z"
DELIVERIES = 12
"""More than any handler needs to come to its end once nothing breaks."""

MOVES = {
    "orders": {
        *(("pending", "confirmed"), ("pending", "cancelled")),
        *(("confirmed", "shipped"), ("confirmed", "cancelled")),
    },
    "reservations": {
        *(("", "reserving"), ("", "refused"), ("", "released")),
        *(("reserving", "reserved"), ("reserving", "undoing"), ("reserving", "releasing")),
        *(("undoing", "reserving"), ("undoing", "refused"), ("undoing", "releasing")),
        *(("reserved", "releasing"), ("reserved", "shipped")),
        ("releasing", "released"),
    },
    "payments": {
        *(("", "charging"), ("", "void")),
        *(("charging", "charged"), ("charging", "refused"), ("charging", "settling")),
        ("charged", "settling"),
        *(("settling", "refunded"), ("settling", "void")),
    },
    "shipments": {
        *(("", "waiting"), ("", "cancelled")),
        *(("waiting", "labelling"), ("waiting", "cancelled"), ("waiting", "refused")),
        *(("labelling", "shipped"), ("labelling", "refused")),
    },
}
"""By collection: every way from one status to another. What no pair begins with is an end."""


BREAKS = st.none() | st.tuples(st.integers(0, 7), st.sampled_from(["dies", "dies after", "no answer", "lost"]))
"""At which write, publish or call of a handler, and how."""


def about(order_id: str) -> dict[str, str]:
    """Whom an event is about."""
    return {"order_id": order_id, "customer_id": "c"}


class Histories(RuleBasedStateMachine):
    """Histories of one service. Subclasses say which, what it hears of an order, and what must be true in the end."""

    service: ClassVar[str]
    collection: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.heard: dict[str, list[Event]] = {order_id: [] for order_id in ORDERS}
        self.scene.store.watchers.append(self._moved)

    def _moved(self, collection: str, key: str, document: Document, previous: Document | None) -> None:
        if collection != self.collection or (previous is None and collection == "orders"):
            return
        before, after = previous["state"]["status"] if previous else "", document["state"]["status"]
        assert before == after or (before, after) in MOVES[collection], f"{key} went from {before} to {after}"

    def events(self, order_id: str) -> list[Event]:
        """What the service may hear of an order now. Only what the other services promise: nothing is both cancelled
        and shipped."""
        raise NotImplementedError

    def settled(self, order_id: str) -> None:
        """Check an order of which everything was handled."""
        raise NotImplementedError

    @rule(data=st.data(), order_id=st.sampled_from(ORDERS), breaks=BREAKS)
    def hear(self, data: st.DataObject, order_id: str, breaks: tuple[int, str] | None) -> None:
        """Hear something new, and handle it to its end or until it breaks at its n-th write, publish or call."""
        new = [event for event in self.events(order_id) if event not in self.heard[order_id]]
        if new:
            event = data.draw(st.sampled_from(new))
            self.heard[order_id].append(event)
            self._handle(event, breaks)

    @rule(data=st.data(), order_id=st.sampled_from(ORDERS), breaks=BREAKS)
    def hear_again(self, data: st.DataObject, order_id: str, breaks: tuple[int, str] | None) -> None:
        """A message comes a second time, in the middle of anything."""
        if self.heard[order_id]:
            self._handle(data.draw(st.sampled_from(self.heard[order_id])), breaks)

    @rule(seconds=st.sampled_from([1.0, 20.0, 3_600.0, 80_000.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        """The last two are about as long as the gateway remembers a key."""
        self.scene.pass_time(seconds)

    def _handle(self, event: Event, breaks: tuple[int, str] | None) -> None:
        hand = self.scene.deliver(self.service, event)
        if breaks is None:
            hand.finish()
            return
        number, way = breaks
        while hand.step is not None and (number or not isinstance(hand.step, Put | Publish | Ask)):
            number -= isinstance(hand.step, Put | Publish | Ask)
            hand.perform()
        if hand.step is not None:
            self._broken(hand, way)

    def _broken(self, hand: Hand, way: str) -> None:
        match way:
            case "dies":
                self.scene.restart()
            case "dies after":
                hand.perform()
                self.scene.restart()
            case "no answer":
                hand.unanswered(done=False).finish()
            case "lost":
                with suppress(Conflict):  # Then nothing was done whose answer could be lost.
                    hand.step.perform(self.scene.ports)
                hand.unanswered(done=False).finish()

    def teardown(self) -> None:
        """Nothing breaks any more: everything that was heard is handled, then once more, and nothing is published that
        was not already."""
        self.scene.pass_time(4_000.0)
        self.scene.sweep()
        for events in self.heard.values():
            for event in events:
                self._to_its_end(event)
        said = {envelope.id: envelope.to_bytes() for envelope in self.scene.published}
        for order_id, events in self.heard.items():
            for event in events:
                self._to_its_end(event)
            if events:
                self.settled(order_id)
        assert {envelope.id: envelope.to_bytes() for envelope in self.scene.published} == said

    def _to_its_end(self, event: Event) -> None:
        for _ in range(DELIVERIES):
            outcome = self.scene.hears(self.service, event)
            if isinstance(outcome, Done) and outcome.note in ("handled", "duplicate"):
                return
            self.scene.pass_time(20.0)
        raise AssertionError(f"{self.service} does not come to an end with {event.kind()}")

    def kinds(self, order_id: str) -> list[str]:
        """The kinds of what was published of an order, each event once."""
        return sorted(kind for _, kind in {(each.id, each.kind) for each in self.published(order_id)})

    def published(self, order_id: str) -> list[Envelope]:
        """What was published of an order, once for each time."""
        return [each for each in self.scene.published if each.subject == order_id]

    def has_heard(self, order_id: str, kind: str) -> bool:
        """Whether there was such an event."""
        return any(event.kind() == kind for event in self.heard[order_id])


class Reluctant(Gateway):
    """A gateway that refuses the first refunds that it is asked for, and says so for ever under their keys."""

    refusals = 0

    def refund(self, *, key: str, charge_id: str, amount: int, currency: str) -> dict[str, Any]:
        if self.refusals and self._recall(key) is None:
            self.refusals -= 1
            return self._remember(key, {"status": "refused", "reason": "not now"})
        return super().refund(key=key, charge_id=charge_id, amount=amount, currency=currency)


class Payments(Histories):
    """Placed and cancelled, in any order, with a card that is good or refused, and a gateway that gives no refund at
    first."""

    service = "payment"
    collection = "payments"

    @initialize(refused=st.booleans(), refusals=st.integers(0, 2))
    def cards(self, refused: bool, refusals: int) -> None:
        """One order's card is good, the other's may be."""
        gateway = Reluctant(self.scene.world, self.scene.settings.gateway_key_life, Weather())
        gateway.refusals = refusals
        self.scene.gateway = gateway
        self.scene.ports.dependencies["gateway"] = gateway  # type: ignore[index]
        card = {"payment_token": "refused" if refused else "good"}
        self.placed = {"o": placed(order_id="o"), "p": placed(order_id="p").model_copy(update=card)}

    def events(self, order_id: str) -> list[Event]:
        return [self.placed[order_id], cancelled(order_id)]

    def settled(self, order_id: str) -> None:
        charges = self.scene.gateway.charges[order_id]
        taken = len(charges) - sum(len(charge.refunds) for charge in charges)
        status, kinds = self.scene.status("payments", order_id), self.kinds(order_id)
        answers = [kind for kind in kinds if kind in ("PaymentRefunded", "PaymentVoided")]
        if self.has_heard(order_id, "OrderCancelled"):
            assert taken == 0
            assert answers == (["PaymentRefunded"] if charges else ["PaymentVoided"])
            assert status == ("refunded" if charges else status)
            assert status in ("refunded", "void", "refused")
        else:
            assert status == ("charged" if taken else "refused")
            assert kinds == (["PaymentCompleted"] if taken else ["PaymentFailed"])


class Reservations(Histories):
    """Two orders want units of the same six, on two shards; each is then cancelled, or shipped once it is reserved."""

    service = "inventory"
    collection = "reservations"

    @initialize(wanted=st.tuples(st.integers(1, 7), st.integers(1, 7)))
    def stocked(self, wanted: tuple[int, int]) -> None:
        """Six units, three on each shard."""
        self.scene = Scene()
        self.scene.store.watchers.append(self._moved)
        self.scene.shelve(3, 3)
        self.placed = {
            order_id: placed(quantity, order_id=order_id) for order_id, quantity in zip(ORDERS, wanted, strict=True)
        }

    def events(self, order_id: str) -> list[Event]:
        if self.has_heard(order_id, "ShipmentCreated"):
            return [self.placed[order_id]]
        ships = self.scene.status("reservations", order_id) == "reserved" and not self.has_heard(
            order_id, "OrderCancelled"
        )
        return [self.placed[order_id], cancelled(order_id), *([shipped(order_id)] if ships else [])]

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        """Six units, on the shelves, held or gone."""
        assert sum(sum(self.scene.stock(shard)) for shard in range(2)) == 6

    def settled(self, order_id: str) -> None:
        held = {
            shard: state["open"][order_id]
            for shard in range(2)
            if order_id in (state := self.scene.state("stock", f"A.{shard}"))["open"]
        }
        status, kinds = self.scene.status("reservations", order_id), self.kinds(order_id)
        if self.has_heard(order_id, "OrderCancelled"):
            assert kinds.count("InventoryReleased") == 1
            assert status in ("released", "refused")
        elif self.has_heard(order_id, "ShipmentCreated"):
            assert status == "shipped"
        else:
            assert kinds == ["InventoryReserved" if status == "reserved" else "OutOfStock"]
        assert sum(quantity for quantity, _ in held.values()) == (
            self.placed[order_id].lines[0].quantity if status == "reserved" else 0
        )


class Shipments(Histories):
    """Paid, reserved and confirmed, or cancelled instead of confirmed, in any order; the carrier may refuse the
    country, and the customer may have no address."""

    service = "shipping"
    collection = "shipments"

    @initialize(address=st.sampled_from(["DE", "DE", "AQ", None]))
    def addressed(self, address: str | None) -> None:
        """Where the customer lives, if anywhere."""
        self.address = address
        if address is not None:
            where = {"street": "s", "city": "c", "postcode": "1", "country": address}
            self.scene.write("customers", "lives", {"name": "n", "address": where})

    def events(self, order_id: str) -> list[Event]:
        who = {"order_id": order_id, "customer_id": "lives"}
        stop: Event = cancelled(order_id).model_copy(update=who)
        go: Event = OrderConfirmed(**who, total=100, currency="EUR", tier="standard", placed_at=PLACED_AT)
        before: list[Event] = [
            PaymentCompleted(**who, charge_id="ch", amount=100, currency="EUR"),
            InventoryReserved(**who, lines=(Units(sku="A", quantity=1),)),
        ]
        if self.has_heard(order_id, "OrderCancelled"):
            return [*before, stop]
        if self.has_heard(order_id, "OrderConfirmed"):
            refused = self.scene.status("shipments", order_id) == "refused"
            return [*before, go, *([stop] if refused else [])]
        return [*before, go, stop]

    def settled(self, order_id: str) -> None:
        heard = {event.kind() for event in self.heard[order_id]}
        labels, kinds = len(self.scene.carrier.labels[order_id]), self.kinds(order_id)
        status = self.scene.status("shipments", order_id)
        if {"PaymentCompleted", "InventoryReserved", "OrderConfirmed"} <= heard:
            assert (status, labels, kinds) == (
                ("shipped", 1, ["ShipmentCreated"]) if self.address == "DE" else ("refused", 0, ["ShipmentRefused"])
            )
        else:
            assert (status, labels, kinds) == ("cancelled" if "OrderCancelled" in heard else "waiting", 0, [])


class Orders(Histories):
    """Every answer that an order may get, in any order, its customer cancelling at any time."""

    service = "order"
    collection = "orders"

    @initialize(reserved=st.booleans(), paid=st.booleans(), suspected=st.booleans())
    def accepted(self, reserved: bool, paid: bool, suspected: bool) -> None:
        """Both orders are there, and have for ever to be confirmed; of the first everybody says yes."""
        self.answers = {"o": (True, True, False), "p": (reserved, paid, suspected)}
        self.scene = Scene(order_deadline=1e9)
        self.scene.store.watchers.append(self._moved)
        for order_id in ORDERS:
            order = new_order(order_id, self.scene.settings, customer="c", now=self.scene.now())
            cause = Cause(f"{order_id}.place", "digest", order_id)
            nothing: Record[Order] = Record()
            record = nothing.absorbing(order, cause, envelopes("order", cause, (of(order),), order.placed_at))
            self.scene.store.insert("orders", order_id, record.to_document(ORDER))

    @rule(order_id=st.sampled_from(ORDERS), finishes=st.booleans(), mind=st.integers(0, 3))
    def customer_cancels(self, order_id: str, finishes: bool, mind: int) -> None:
        """By the API, which may end before it has published."""
        if mind:
            return
        before = self.scene.status("orders", order_id)
        hand = self.scene.request("POST", f"/orders/{order_id}/cancel")
        if not finishes:
            hand.before(lambda step: step is None or isinstance(step, Publish))
            return
        status = hand.finish().status
        assert status == (409 if before in ("confirmed", "shipped") else 202)

    def events(self, order_id: str) -> list[Event]:
        who, status = about(order_id), self.scene.status("orders", order_id)
        reserved, paid, suspected = self.answers[order_id]
        answers: list[Event] = [
            InventoryReserved(**who, lines=(Units(sku="A", quantity=1),))
            if reserved
            else OutOfStock(order_id=order_id, missing=(Shortage(sku="A", requested=1, available=0),)),
            PaymentCompleted(**who, charge_id="ch", amount=100, currency="EUR")
            if paid
            else PaymentFailed(**who, reason="card declined"),
            FraudSuspected(order_id=order_id, reasons=("total",)) if suspected else FraudCleared(order_id=order_id),
        ]
        if status == "confirmed" and order_id == "o":
            answers.append(shipped(order_id))
        elif status == "confirmed":
            answers.append(ShipmentRefused(order_id=order_id, reason="no service"))
        if status == "cancelled" and "OrderCancelled" in self.kinds(order_id):
            answers += [InventoryReleased(order_id=order_id, lines=()), PaymentVoided(order_id=order_id)]
        return answers

    def settled(self, order_id: str) -> None:
        state, kinds = self.scene.state("orders", order_id), self.kinds(order_id)
        decided = [kind for kind in kinds if kind != "OrderPlaced"]
        reached = [change["status"] for change in state["history"]]
        assert len(set(reached)) == len(reached), "no status is reached twice"
        told = {"confirmed": "OrderConfirmed", "cancelled": "OrderCancelled"}
        assert decided == sorted(told[status] for status in reached if status in told)
        answered = self.has_heard(order_id, "InventoryReleased") and self.has_heard(order_id, "PaymentVoided")
        assert state["closed"] == (state["status"] == "shipped" or (state["status"] == "cancelled" and answered))


for machine in (Payments, Reservations, Shipments, Orders):
    machine.TestCase.settings = settings(max_examples=120, stateful_step_count=24)

TestPayments = Payments.TestCase
TestReservations = Reservations.TestCase
TestShipments = Shipments.TestCase
TestOrders = Orders.TestCase
