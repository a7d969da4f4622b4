"""The invariants' checker finds nothing in a run that went well, and every violation that is planted in one.

A check that cannot fail is worth nothing: each way to break a promise is tried, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from added import added, write_package
from orderflow.events import CORE, NotificationRequested
from orderflow.keys import safe_key
from orderflow.ports import DeadLetter, Document
from orderflow.settings import Settings
from orderflow_cli.invariants import NAMES, Verdict, check
from unit.support import Lab, enveloped, order_placed

STOCKED = {"CUP": 8, "POT": 4}
ORDERS = {
    "shipped": "shipped",
    "high": "shipped",
    "refused": "payment-failed",
    "short": "out-of-stock",
    "cancelled": "customer",
    "hermit": "shipment-refused",
}
"""Orders of the run by id, and how each ends."""


@pytest.fixture(scope="module")
def finished() -> Lab:
    """A run at rest: an order of every story, on its way in any order."""
    lab = Lab.make(Settings(shard_units=4))
    lab.customer("zoe")
    lab.customer("edmond", address={"street": "1", "city": "Pole", "postcode": "1", "country": "AQ"})
    lab.load_file("stock/a.csv", "".join(["sku,quantity\n", *(f"{s},{n}\n" for s, n in STOCKED.items())]).encode())
    lab.place("shipped", lines=(("CUP", 2), ("POT", 1)))
    lab.place("high", lines=(("CUP", 1),), price=200_000)
    lab.place("refused", token="tok_refused")
    lab.place("short", lines=(("POT", 99),))
    lab.place("hermit", customer="edmond")
    lab.place("cancelled", lines=(("CUP", 1),))
    cancel(lab, "cancelled")
    lab.run_to_rest(order=Random(5))
    return lab


@pytest.fixture
def lab(finished: Lab) -> Lab:
    """The finished run, to be spoilt by one test."""
    lab = Lab.make()
    lab.store.copy(finished.store)
    lab.broker.published = list(finished.broker.published)
    lab.clock.time = finished.clock.time
    return lab


def cancel(lab: Lab, order_id: str) -> None:
    """Cancel an order as the API does."""
    from orderflow.record import Cause, envelopes, load
    from orderflow.services.order import SERVICE
    from orderflow.services.order import cancel as decided

    record = load(SERVICE, lab.store.get("orders", order_id))
    assert record.state is not None
    commit = decided(record.state, "customer: cancelled on request", lab.clock.now())
    cause = Cause(f"{order_id}.cancel", "cancel", order_id)
    emitted = envelopes("order", cause, commit.emit, lab.clock.now())
    document = record.absorbing(commit.state, cause, emitted).to_document(SERVICE)
    assert record.stored is not None
    lab.store.replace("orders", order_id, document, record.stored)
    lab.broker.publish(emitted)


def verdict(lab: Lab, *more: str) -> Verdict:
    """What the checker says."""
    return check(lab.ports, [*ORDERS, *more], STOCKED, poison_ids=frozenset({"poison"}))


def test_a_run_that_went_well_keeps_every_promise_and_is_counted_right(lab: Lab) -> None:
    found = verdict(lab)
    assert found.broken == {name: [] for name in NAMES}
    assert found.holds
    outcomes: dict[str, int] = {}
    for outcome in ORDERS.values():
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert dict(found.outcomes) == outcomes
    assert found.letters == 0
    assert len(found.shipping_seconds) == 2
    told = {event.kind() for event in CORE} - {"StockReplenished"}
    assert found.events == len({each.id for each in lab.published() if each.kind in told})
    assert found.refunds == sum(
        entry["status"] == "refunded" for order_id in ORDERS for entry in lab.entries("gateway", order_id)
    )
    assert found.refunds >= 2
    assert sum(found.messages.values()) == sum(len(d["entries"]) for _, d in lab.store.all("messages"))


PASSING = """
from orderflow.events import OrderConfirmed
from orderflow.service import Commit, Ignore, Service
from orderflow.state import State


class Nothing(State):
    pass


SERVICE = Service(
    name="passing",
    hears=(OrderConfirmed,),
    emits=(),
    collection="nothings",
    state=Nothing,
    key=lambda event, _time: event.order_id,
    decide=lambda state, event, _context: Ignore() if event.tier == "standard" else Commit(Nothing()),
)
"""


def test_an_added_service_owes_what_it_does_not_ignore(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "beside", passing=PASSING)
    monkeypatch.syspath_prepend(tmp_path)
    with added("beside"):
        found = verdict(lab)
    assert found.broken == {name: [] for name in NAMES} | {"I5": ["passing has not absorbed OrderConfirmed of high"]}


Plant = Callable[[Lab], Any]


def state(collection: str, key: str, **fields: Any) -> Plant:
    """Overwrite fields of a document's state."""
    return lambda lab: lab.store.overwrite(collection, key, **fields)


def gone(collection: str, key: str) -> Plant:
    """Take a document away."""

    def take(lab: Lab) -> None:
        stored = lab.store.get(collection, key)
        assert stored is not None, f"there is no {collection}/{key}"
        lab.store.delete(collection, key, stored)

    return take


def books(collection: str, key: str, change: Callable[[Document], Any]) -> Plant:
    """Change a provider's entries."""
    return lambda lab: lab.store.amend(collection, key, lambda document: change(document.setdefault("entries", {})))


def shelf(change: Callable[[Document], Any], sku: str = "CUP") -> Plant:
    """Change a shelf from which units of a SKU were shipped."""

    def plant(lab: Lab) -> None:
        [key, *_] = [k for k, d in lab.store.all("stock") if k.startswith(f"{sku}.") and d["state"]["shipped"]]
        lab.store.amend("stock", key, lambda document: change(document["state"]))

    return plant


def oversold(lab: Lab) -> None:
    """A shelf gives more than it had, and another has it too much: the sums are right."""
    [(first, one), (second, _)] = [
        (key, document["state"]) for key, document in lab.store.all("stock") if key in ("CUP.0", "CUP.1")
    ]
    moved = one["available"] + 1
    for key, units in ((first, -moved), (second, moved)):
        lab.store.amend(
            "stock",
            key,
            lambda document, units=units: document["state"].update(  # type: ignore[misc]
                available=document["state"]["available"] + units, replenished=document["state"]["replenished"] + units
            ),
        )


def charged(status: str = "charged", amount: int = 4_000) -> Document:
    """A provider's entry."""
    return {"status": status, "amount": amount, "currency": "EUR"}


def forgets(service: str, kind: str) -> Plant:
    """Make a service's documents forget that they absorbed an event of a kind."""
    from orderflow.services import find

    def forget(lab: Lab) -> None:
        ids = {each.id for each in lab.published(kind)}
        collection, forgotten = find(service).collection, 0
        for key, document in list(lab.store.all(collection)):
            kept = [entry for entry in document["absorbed"] if entry[0] not in ids]
            forgotten += len(document["absorbed"]) - len(kept)
            lab.store.amend(collection, key, lambda document, kept=kept: document.update(absorbed=kept))  # type: ignore[misc]
        assert forgotten, f"{service} has absorbed no {kind}"

    return forget


def letter(event_id: str = "e-1", reason: str = "refused", detail: str = "why", service: str = "payment") -> Plant:
    """Put a letter into a dead-letter queue."""
    return lambda lab: lab.broker.send(DeadLetter(service, b"{}", {}, reason, detail, 1, "", "", event_id))


def first_message(lab: Lab, channel: str = "email") -> str:
    """The key of some message's books."""
    [first, *_] = [each for each in lab.published(NotificationRequested.kind()) if each.channel == channel]
    return safe_key(first.data["notification_id"])


def sent_again(lab: Lab) -> None:
    """A message is sent a second time."""
    lab.store.amend("messages", first_message(lab), lambda d: d["entries"].update(more={"status": "sent"}))


def never_sent(lab: Lab) -> None:
    """A message that the channel has marked as sent is not in the provider's books."""
    lab.store.amend("messages", first_message(lab), lambda d: d.update(entries={}))


def many_letters(lab: Lab) -> None:
    """One real dead letter behind very many that were expected."""
    for _ in range(150):
        letter("poison")(lab)
    letter("e-1")(lab)


PLANTS: list[tuple[str, str, Plant]] = [
    ("I1", "an accepted order is not there", gone("orders", "shipped")),
    ("I1", "an order is still pending", state("orders", "shipped", status="pending")),
    ("I1", "an order is confirmed and never shipped", state("orders", "shipped", status="confirmed")),
    ("I1", "a cancelled order is not closed", state("orders", "refused", closed=False)),
    ("I2", "a shipped order was not charged", books("gateway", "shipped", lambda entries: entries.clear())),
    ("I2", "an order was charged twice", books("gateway", "shipped", lambda e: e.update(x=charged(amount=3_000)))),
    (
        "I2",
        "an order was charged twice and refunded once",
        books("gateway", "shipped", lambda e: e.update(x=charged(amount=3_000), y=charged("refunded", 3_000))),
    ),
    ("I2", "a refused order was charged", books("gateway", "refused", lambda e: e.update(x=charged(amount=2_000)))),
    (
        "I2",
        "a shipped order was refunded",
        books("gateway", "shipped", lambda e: e.update(x=charged("refunded", 3_000))),
    ),
    ("I2", "a cancelled order was not refunded", books("gateway", "hermit", lambda e: e.pop("hermit.refund"))),
    ("I2", "a refund was of another amount", books("gateway", "hermit", lambda e: e["hermit.refund"].update(amount=1))),
    (
        "I2",
        "a charge was of another amount",
        books("gateway", "shipped", lambda e: e["shipped.charge.1"].update(amount=1)),
    ),
    ("I3", "a unit appeared", shelf(lambda s: s.update(available=s["available"] + 1))),
    ("I3", "a unit vanished", shelf(lambda s: s.update(available=s["available"] - 1))),
    ("I3", "the shelf is oversold", shelf(lambda s: s.update(available=-1, replenished=s["shipped"] - 1))),
    ("I3", "a shelf is oversold for another's sake", oversold),
    ("I3", "units are still held", shelf(lambda s: s.update(open={"refused": [1, 1]}, available=s["available"] - 1))),
    ("I3", "a delivery is still in flight", shelf(lambda s: s.update(arriving={"row": 1}))),
    (
        "I3",
        "a delivery was counted twice",
        shelf(lambda s: s.update(available=s["available"] + 8, replenished=s["replenished"] + 8)),
    ),
    (
        "I3",
        "a unit was shipped that nobody ordered",
        shelf(lambda s: s.update(available=s["available"] - 1, shipped=s["shipped"] + 1)),
    ),
    (
        "I3",
        "units were shipped as another SKU's",
        shelf(lambda s: s.update(available=s["available"] + s["shipped"], shipped=0), "POT"),
    ),
    ("I3", "a cancelled order still holds its reservation", state("reservations", "cancelled", status="reserved")),
    ("I3", "a shipped order's reservation is not", state("reservations", "shipped", status="reserved")),
    ("I3", "an order has no reservation", gone("reservations", "refused")),
    ("I4", "a shipped order has no parcel", books("carrier", "shipped", lambda entries: entries.clear())),
    (
        "I4",
        "a shipped order has two parcels",
        books("carrier", "shipped", lambda e: e.update(x={"status": "accepted", "tracking": "T"})),
    ),
    (
        "I4",
        "a cancelled order has a parcel",
        books("carrier", "refused", lambda e: e.update(x={"status": "accepted", "tracking": "T"})),
    ),
    ("I5", "a message was sent twice", sent_again),
    ("I5", "a message was never sent", never_sent),
    ("I6", "an event was dead-lettered", letter()),
    ("I6", "a message that is no event was dead-lettered", letter("")),
    ("I6", "the poison message was given up by the broker", letter("poison", reason="broker")),
    ("I6", "the poison message has no explanation", letter("poison", detail="")),
    ("I6", "a dead letter is hidden behind many others", many_letters),
    *[
        ("I5", f"{service} has missed {kind}", forgets(service, kind))
        for service, kind in [
            ("order", "InventoryReserved"),
            ("order", "PaymentCompleted"),
            ("order", "InventoryReleased"),
            ("order", "FraudCleared"),
            ("inventory", "OrderPlaced"),
            ("inventory", "OrderCancelled"),
            ("inventory", "ShipmentCreated"),
            ("payment", "OrderPlaced"),
            ("payment", "OrderCancelled"),
            ("shipping", "OrderConfirmed"),
            ("shipping", "OrderCancelled"),
            ("fraud", "OrderPlaced"),
            ("notification", "OrderConfirmed"),
            ("notification", "PaymentRefunded"),
            ("email", "NotificationRequested"),
            ("sms", "NotificationRequested"),
            ("push", "NotificationRequested"),
            ("analytics", "OrderPlaced"),
            ("analytics", "NotificationRequested"),
        ]
    ],
]


@pytest.mark.parametrize(
    ("name", "plant"), [(n, p) for n, _, p in PLANTS], ids=[f"{n} {what}" for n, what, _ in PLANTS]
)
def test_a_planted_violation_is_found(lab: Lab, name: str, plant: Plant) -> None:
    plant(lab)
    found = verdict(lab)
    assert found.broken[name], f"nothing was found: {found.broken}"
    assert not found.holds


def test_every_invariant_has_violations_planted() -> None:
    assert {name for name, _, _ in PLANTS} == set(NAMES)


def test_an_order_that_never_was_is_found(lab: Lab) -> None:
    assert verdict(lab, "ghost").broken["I1"] == ["ghost was accepted and is not there"]


def test_expected_dead_letters_with_a_reason_break_nothing(lab: Lab) -> None:
    lab.deliver("payment", enveloped(order_placed(), "poison", data={}))
    lab.deliver("inventory", enveloped(order_placed(), "poison", data={}))
    found = verdict(lab)
    assert found.holds
    assert found.letters == 2
