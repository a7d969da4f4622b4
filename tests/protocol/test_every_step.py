"""Every handler, broken at every write, publish and call of it, as the saga helpers of Oxide's omicron do: play it up
to that step, break it there in each way, deliver again to the end, and once more. What comes out must be what comes out
where nothing breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from orderflow import sweeper
from orderflow.events import (
    Event,
    FraudCleared,
    FraudSuspected,
    InventoryReleased,
    InventoryReserved,
    Line,
    NotificationRequested,
    OrderConfirmed,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    ShipmentCreated,
    ShipmentRefused,
    Units,
)
from orderflow.ports import Conflict, Unavailable
from orderflow.processing import Done, Retry
from orderflow.services import SERVICES, find
from orderflow.steps import Ask, Publish, Put, WriteArchive
from orderflow_cli.contracts.samples import data as sample
from protocol.hands import Hand, Scene, cancelled, placed, put, shipped
from simulation.many import find as find_bug
from simulation.world import Violation

ROOT = Path(__file__).parents[2]

Begin = Callable[[], Hand]
Play = Callable[[Scene], Begin]
"""Sets the scene; answers what begins the handler, once and again."""

Broken = Literal["twice", "fails before", "fails after", "not done", "done, not answered"]
WAYS: tuple[Broken, ...] = ("twice", "fails before", "fails after", "not done", "done, not answered")
"""The second and third end the process; of the last two the handler learns that there was no answer."""

DELIVERIES = 12
"""More than any handler needs to come to its end when one step of it was broken once."""

PLAYS: dict[str, dict[str, Play]] = {}
"""By service, and by what happens."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is there at the end, without what depends on how often something was written, and when."""

    published: frozenset[str]
    documents: dict[tuple[str, str], Any]
    charges: dict[str, list[int]]
    labels: dict[str, int]


VOLATILE = ("lease_until", "intent_at", "history", "note", "sweeps", "due_at", "placed_at", "expires_at")


def play(service: str, what: str) -> Callable[[Play], Play]:
    """Register a play."""

    def register(each: Play) -> Play:
        PLAYS.setdefault(service, {})[what] = each
        return each

    return register


def hears(service: str, *events: Event) -> Play:
    """The last of some events, the others having been heard before."""

    def prepare(scene: Scene) -> Begin:
        for event in events[:-1]:
            scene.hears(service, event)
        return partial(scene.deliver, service, events[-1])

    return prepare


BOTH: dict[str, str] = {"order_id": "o", "customer_id": "c"}
RESERVED = InventoryReserved(**BOTH, lines=(Units(sku="A", quantity=3),))
PAID = PaymentCompleted(**BOTH, charge_id="ch", amount=300, currency="EUR")
CONFIRMED = OrderConfirmed(**BOTH, total=300, currency="EUR", tier="standard", placed_at="2027-01-15T08:00:00.000Z")
TWO_SKUS = placed(1).model_copy(
    update={"lines": tuple(Line(sku=sku, quantity=1, unit_price=100) for sku in ("A", "B")), "total": 200}
)
REFUSED_CARD = placed().model_copy(update={"payment_token": "refused"})


def stocked(inner: Play, **shelves: tuple[int, ...]) -> Play:
    """With units in stock: by SKU, those of its shards."""

    def prepare(scene: Scene) -> Begin:
        for sku, units in shelves.items():
            scene.shelve(*units, sku=sku)
        return inner(scene)

    return prepare


def _overtaken(scene: Scene, *shelves: int) -> Begin:
    """Two SKUs, and of the second others take what the plan wants before it is held."""
    scene.shelve(5)
    scene.shelve(*shelves, sku="B")
    scene.deliver("inventory", TWO_SKUS).after(put("reservations"))  # and it dies
    [_, of_b] = scene.state("reservations", "o")["plan"]
    scene.sell(of_b["shard"], "B")
    return partial(scene.deliver, "inventory", TWO_SKUS)


PLAYS["inventory"] = {
    "reserves": stocked(hears("inventory", placed(3)), A=(5,)),
    "reserves two lines": stocked(hears("inventory", TWO_SKUS), A=(5,), B=(5,)),
    "is out of stock": stocked(hears("inventory", placed(3)), A=(2,)),
    "is out of stock in the second line": stocked(hears("inventory", TWO_SKUS), A=(5,)),
    "plans again": lambda scene: _overtaken(scene, 5, 5),
    "is out of stock after all": lambda scene: _overtaken(scene, 5),
    "releases": stocked(hears("inventory", placed(3), cancelled()), A=(5,)),
    "releases two lines": stocked(hears("inventory", TWO_SKUS, cancelled()), A=(5,), B=(5,)),
    "has nothing to release": stocked(hears("inventory", cancelled()), A=(5,)),
    "hears late of the order": stocked(hears("inventory", cancelled(), placed(3)), A=(5,)),
    "ships": stocked(hears("inventory", placed(3), shipped()), A=(5,)),
}
PLAYS["payment"] = {
    "charges": hears("payment", placed()),
    "is refused": hears("payment", REFUSED_CARD),
    "refunds": hears("payment", placed(), cancelled()),
    "voids": hears("payment", cancelled()),
    "voids what was refused": hears("payment", REFUSED_CARD, cancelled()),
    "hears late of the order": hears("payment", cancelled(), placed()),
}
PLAYS["shipping"] = {
    "notes the first": hears("shipping", PAID),
    "ships with the third": hears("shipping", RESERVED, PAID, CONFIRMED),
    "cancels": hears("shipping", PAID, cancelled()),
    "cancels before it hears anything": hears("shipping", cancelled()),
}
PLAYS["fraud"] = {
    "clears": hears("fraud", placed().model_copy(update={"tier": "high"})),
    "suspects": hears("fraud", placed(400).model_copy(update={"tier": "high"})),
}
PLAYS["notification"] = {
    "asks for messages": hears("notification", CONFIRMED),
    "adds": hears("notification", PAID, CONFIRMED),
}
PLAYS["analytics"] = {"counts": hears("analytics", placed()), "adds": hears("analytics", placed(), PAID)}


def _without_service(scene: Scene) -> Begin:
    person = scene.state("customers", "c")
    scene.write("customers", "c", {**person, "address": {**person["address"], "country": "AQ"}})
    return hears("shipping", RESERVED, PAID, CONFIRMED)(scene)


PLAYS["shipping"]["is refused by the carrier"] = _without_service


def _sends(channel: Any) -> Play:
    def prepare(scene: Scene) -> Begin:
        scene.write("customers", "c", {**scene.state("customers", "c"), channel: "there"})
        event = NotificationRequested(
            notification_id="n", **BOTH, channel=channel, template="receipt", values={"order": "o", "amount": "1 EUR"}
        )
        return partial(scene.deliver, channel, event)

    return prepare


for _channel in ("email", "sms", "push"):
    PLAYS[_channel] = {"sends": _sends(_channel)}


def _of_an_order(*make: Callable[[str], Event]) -> Play:
    """The last of some events about an order that was placed."""

    def prepare(scene: Scene) -> Begin:
        handler, order_id = scene.place(3)
        handler.finish()
        *before, last = (each(order_id()) for each in make)
        for event in before:
            scene.hears("order", event)
        return partial(scene.deliver, "order", last)

    return prepare


def _about(event: Event) -> Callable[[str], Event]:
    return lambda order_id: event.model_copy(update={"order_id": order_id})


_SHORT = OutOfStock(order_id="o", missing=())
_RELEASED, _VOIDED = InventoryReleased(order_id="o", lines=()), PaymentVoided(order_id="o")
_FAILED = PaymentFailed(**BOTH, reason="declined")
_REFUNDED = PaymentRefunded(**BOTH, charge_id="ch", refund_id="re", amount=300, currency="EUR")
PLAYS["order"] = {
    "notes": _of_an_order(_about(PAID)),
    "confirms": _of_an_order(_about(PAID), _about(RESERVED)),
    "cancels for stock": _of_an_order(_about(_SHORT)),
    "cancels for payment": _of_an_order(_about(_FAILED)),
    "cancels for fraud": _of_an_order(_about(FraudSuspected(order_id="o", reasons=("total",)))),
    "notes that it is cleared": _of_an_order(_about(FraudCleared(order_id="o"))),
    "closes": _of_an_order(_about(_SHORT), _about(_RELEASED), _about(_VOIDED)),
    "closes with a refund": _of_an_order(_about(_SHORT), _about(_REFUNDED), _about(_RELEASED)),
    "ships": _of_an_order(
        _about(PAID),
        _about(RESERVED),
        _about(ShipmentCreated(**BOTH, tracking="t", placed_at="2027-01-15T08:00:00.000Z")),
    ),
    "cancels for the carrier": _of_an_order(
        _about(PAID), _about(RESERVED), _about(ShipmentRefused(order_id="o", reason="no"))
    ),
}


@play("api", "places an order")
def _places(scene: Scene) -> Begin:
    return lambda: scene.place()[0]


@play("api", "cancels an order")
def _cancels(scene: Scene) -> Begin:
    handler, order_id = scene.place()
    handler.finish()
    return lambda: scene.request("POST", f"/orders/{order_id()}/cancel")


@play("sweeper", "cancels what has expired")
def _expires(scene: Scene) -> Begin:
    handler, _ = scene.place()
    handler.finish()
    scene.pass_time(scene.settings.order_deadline + 1)
    return lambda: Hand(scene.ports, sweeper.sweep(scene.shell))


@play("files", "counts a row")
def _arrives(scene: Scene) -> Begin:
    scene.shelve(5)
    return lambda: scene.arrive("row", 5)


@play("files", "makes a shard")
def _widens(scene: Scene) -> Begin:
    scene.shelve(5)
    return lambda: scene.arrive("row", 2 * scene.settings.shard_units)


def _of_an_added_service(service: str) -> dict[str, Play]:
    """Plays of a service that has none of its own here: each event that it hears, first and after all others."""
    events = [
        model.model_validate(sample(model, ROOT, **{name: "o" for name in ("order_id",) if name in model.model_fields}))
        for model in find(service).hears
    ]
    return {
        f"hears {event.kind()}{when}": hears(service, *before, event)
        for event in events
        for when, before in (("", ()), (" last", [each for each in events if each is not event]))
    }


PLAYS |= {service: _of_an_added_service(service) for service in SERVICES if service not in PLAYS}


def finish(scene: Scene, begin: Begin, hand: Hand | None = None) -> None:
    """Deliver until it is done, as a broker or a client would."""
    for _ in range(DELIVERIES):
        hand = hand or begin()
        try:
            result = hand.finish()
        except (Conflict, Unavailable):
            result = None
        wait = 1.0
        match result:
            case Done() | sweeper.Swept(failed=0):
                return
            case Retry():
                wait = result.after
            case _ if getattr(result, "status", 503) < 500:
                return
        scene.pass_time(wait + 1.0)
        hand = None
    raise AssertionError(f"it does not come to its end in {DELIVERIES} deliveries")


def outcome(scene: Scene) -> Outcome:
    """What is there now."""
    documents: dict[tuple[str, str], Any] = {}
    names = [find(name).collection for name in SERVICES] + ["stock", "receipts"]
    for name in names:
        for key, document in scene.store.all(name):
            state = {field: value for field, value in document["state"].items() if field not in VOLATILE}
            absorbed = [(entry[0], [event["id"] for event in entry[2]]) for entry in document.get("absorbed", ())]
            documents[name, key] = (state, absorbed, document.get("pending"))
    return Outcome(
        published=frozenset(envelope.id for envelope in scene.published),
        documents=documents,
        charges={
            order: [len(charge.refunds) for charge in each] for order, each in scene.gateway.charges.items() if each
        },
        labels={order: len(each) for order, each in scene.carrier.labels.items()},
    )


def breakable(hand: Hand) -> bool:
    """Whether the next step is a write, a publish or a call."""
    return isinstance(hand.step, Put | Publish | Ask | WriteArchive)


def broken(service: str, prepare: Play, place: int, way: Broken) -> tuple[Outcome, bool]:
    """The outcome with one step broken; false if there is no such step."""
    scene = Scene()
    begin = prepare(scene)
    hand = begin()
    seen = 0
    while hand.step is not None:
        if breakable(hand):
            if seen == place:
                break
            seen += 1
        hand.perform()
    if hand.step is None:
        return outcome(scene), False
    going_on: Hand | None = None
    if way in ("twice", "fails after", "done, not answered"):
        with suppress(Conflict):
            hand.step.perform(scene.ports)
    if not way.startswith("fails"):
        with suppress(Unavailable):  # Rows of a file have no shell around them: whoever loads it begins again.
            going_on = hand.perform() if way == "twice" else hand.answered(Unavailable("no answer"))
    if going_on is None:
        scene.restart()
    finish(scene, begin, going_on)
    finish(scene, begin)
    assert scene.letters == [], f"{scene.letters[0].reason}: {scene.letters[0].detail}"
    return outcome(scene), True


def breaks(service: str, what: str, prepare: Play) -> Iterator[str]:
    """What goes wrong in a play, step by step and way by way."""
    scene = Scene()
    begin = prepare(scene)
    try:
        finish(scene, begin)
    except (AssertionError, Violation) as error:
        yield f"{service} {what}, nothing broken: {error}"
        return
    wanted = outcome(scene)
    place = 0
    while True:
        for way in WAYS:
            try:
                found, there = broken(service, prepare, place, way)
            except (AssertionError, Violation) as error:
                yield f"{service} {what}, step {place} {way}: {error}"
                continue
            if not there:
                return
            if found != wanted:
                yield f"{service} {what}, step {place} {way}: {found} instead of {wanted}"
        place += 1


@pytest.mark.parametrize("service", PLAYS)
def test_a_step_that_breaks_changes_nothing_in_the_end(service: str) -> None:
    found = [told for what, prepare in PLAYS[service].items() for told in breaks(service, what, prepare)]
    assert not found, "\n".join(found)


FORWARD: dict[str, tuple[str, ...]] = {
    "inventory": ("reserves", "reserves two lines", "is out of stock", "is out of stock in the second line"),
    "payment": ("charges", "is refused"),
}
"""What a cancellation undoes, by service: plays that one may come into the midst of."""


def undone(service: str, prepare: Play, place: int, way: Broken) -> tuple[str | None, bool]:
    """What is wrong after a handler broke at a step, the order was cancelled, that was heard twice, and the first
    message came again; and whether there is such a step."""
    scene = Scene()
    begin = prepare(scene)
    before = scene.units()
    hand = begin()
    for _ in range(place):
        while hand.step is not None and not breakable(hand):
            hand.perform()
        if hand.step is None:
            return None, False
        hand.perform()
    while hand.step is not None and not breakable(hand):
        hand.perform()
    if hand.step is None:
        return None, False
    if way != "fails before":
        hand.step.perform(scene.ports)
    scene.restart()
    undo = partial(scene.deliver, service, cancelled())
    finish(scene, undo)
    finish(scene, undo)
    finish(scene, begin)
    answers = {"InventoryReleased", "PaymentRefunded", "PaymentVoided"}
    answered = {envelope.id for envelope in scene.published if envelope.kind in answers}
    owing = [charge for charges in scene.gateway.charges.values() for charge in charges if len(charge.refunds) != 1]
    if scene.units() != before:
        return f"the stock is {scene.units()}, not {before}", True
    if owing:
        return f"money was kept, or given back twice: {owing}", True
    if len(answered) != 1:
        return f"the cancellation was answered {len(answered)} times", True
    return None, True


def undoes(service: str) -> Iterator[str]:
    """What goes wrong in a service that undoes what it had done in part."""
    for what in FORWARD[service]:
        place, there = 0, True
        while there:
            for way in ("fails before", "fails after"):
                try:
                    wrong, there = undone(service, PLAYS[service][what], place, way)
                except (AssertionError, Violation) as error:
                    wrong = str(error)
                if wrong:
                    yield f"{service} {what}, step {place} {way}: {wrong}"
            place += 1


@pytest.mark.parametrize("service", FORWARD)
def test_what_was_done_in_part_is_undone_once_however_often_it_is_asked(service: str) -> None:
    assert not list(undoes(service))


@pytest.mark.parametrize(
    ("bug", "service"),
    [
        ("rule 2: stock is touched before the plan is committed", "inventory"),
        ("gives back twice what is released twice", "inventory"),
        ("rule 6: a late order does not find what inventory did without it", "inventory"),
        ("rule 7: a charge under way counts as none", "payment"),
        ("a cancellation does not refund", "payment"),
    ],
)
def test_a_planted_bug_shows_when_something_is_undone(bug: str, service: str) -> None:
    with find_bug(bug).plant():
        assert any(undoes(service))


def test_every_service_and_every_event_is_played() -> None:
    assert set(PLAYS) == {*SERVICES, "api", "sweeper", "files"}


@pytest.mark.parametrize(
    ("bug", "service"),
    [
        ("rule 1: an intent absorbs its event", "payment"),
        ("rule 2: stock is touched before the plan is committed", "inventory"),
        ("rule 10: the stock does not know the rows that are on their way", "files"),
        ("publishes before it commits", "fraud"),
        ("a known event is not published again", "notification"),
        ("does not recognise a known event", "analytics"),
        ("charges without an idempotency key", "payment"),
        ("refunds without an idempotency key", "payment"),
        ("an idempotency key is not looked at", "api"),
    ],
)
def test_a_planted_bug_shows_at_some_step(bug: str, service: str) -> None:
    with find_bug(bug).plant():
        assert any(told for what, prepare in PLAYS[service].items() for told in breaks(service, what, prepare))
