"""What people read afterwards: why an order was cancelled, why a message failed, what was noted in a document. A reason
of any length must never be what stops an order."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orderflow import archive, log
from orderflow.envelope import rfc3339
from orderflow.events import (
    Event,
    FraudSuspected,
    InventoryReserved,
    NotificationRequested,
    OrderCancelled,
    OrderConfirmed,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    ShipmentCreated,
    ShipmentRefused,
    Shortage,
)
from orderflow.ports import Conflict, Unavailable
from orderflow.processing import Retry
from orderflow.service import Commit, Context
from orderflow.services.order import decide
from orderflow.settings import Settings
from orderflow_local.memory import MemoryObjects
from unit.support import BEGIN, Lab, done, enveloped, new_order, order_placed, retried

OF: dict[str, Any] = {"order_id": "o-1", "customer_id": "zoe"}
CONTEXT = Context(BEGIN, Settings(), rfc3339(BEGIN))
CANCELLED = OrderCancelled(**OF, reason="customer: x", total=2_000, currency="EUR")
CONFIRMED = OrderConfirmed(**OF, total=1, currency="EUR", tier="standard", placed_at=rfc3339(BEGIN))
SHIPPED = ShipmentCreated(**OF, tracking="T", placed_at=rfc3339(BEGIN))
BEFORE_LABEL = (
    PaymentCompleted(**OF, charge_id="ch", amount=1, currency="EUR"),
    InventoryReserved(**OF, lines=()),
)
LONGEST = "x" * 300


class Says:
    """An external system whose every method gives the answer it was told, and that notes what it was asked."""

    key_life_seconds = 86_400

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.asked.append((method, arguments))
            self.meanwhile()
            if isinstance(answer := self.answers[method], Exception):
                raise answer
            return answer

        return call


def says(lab: Lab, name: str, **answers: Any) -> Says:
    """Put such a system in the place of another."""
    system = Says(**answers)
    lab.ports.dependencies[name] = system  # type: ignore[index]
    return system


def hear(lab: Lab, service: str, *events: Event) -> Any:
    """Deliver events, each under an id of its own; answers the last one's outcome."""
    return [lab.deliver(service, enveloped(event, f"e-{event.kind()}")) for event in events][-1]


# Why an order was cancelled


@pytest.mark.parametrize(
    ("status", "event", "begins"),
    [
        ("pending", PaymentFailed(**OF, reason=LONGEST), "payment-failed: xxx"),
        ("pending", FraudSuspected(order_id="o-1", reasons=(LONGEST,)), "fraud-suspected: xxx"),
        ("confirmed", ShipmentRefused(order_id="o-1", reason=LONGEST), "shipment-refused: xxx"),
    ],
    ids=lambda value: value.kind() if isinstance(value, Event) else "",
)
def test_the_longest_reason_that_anybody_gives_still_cancels_the_order(status: str, event: Event, begins: str) -> None:
    decision = decide(new_order().model_copy(update={"status": status}), event, CONTEXT)
    assert isinstance(decision, Commit)
    [cancelled] = decision.emit
    assert isinstance(cancelled, OrderCancelled)
    assert cancelled.reason.startswith(begins)
    assert len(cancelled.reason) == 300


def test_everything_that_was_short_is_named() -> None:
    missing = tuple(Shortage(sku=sku, requested=2, available=1) for sku in ("CUP", "POT"))
    decision: Any = decide(new_order(), OutOfStock(order_id="o-1", missing=missing), CONTEXT)
    assert decision.state.reason == "out-of-stock: CUP, POT"


def test_a_suspicion_that_comes_too_late_to_cancel_is_noted_in_the_order() -> None:
    confirmed = new_order().model_copy(update={"status": "confirmed"})
    decision: Any = decide(confirmed, FraudSuspected(order_id="o-1", reasons=("total",)), CONTEXT)
    assert (decision.state.status, decision.state.suspected, decision.emit) == ("confirmed", True, ())


# Why a message failed


def test_a_refund_that_is_refused_says_what_the_gateway_said(lab: Lab) -> None:
    charged = {"status": "charged", "charge_id": "ch"}
    says(lab, "gateway", charge=charged, refund={"status": "refused", "reason": "account closed"})
    hear(lab, "payment", order_placed())
    assert hear(lab, "payment", CANCELLED).reason == "the gateway does not refund: account closed"
    says(lab, "gateway", refund={"status": "frozen"})
    assert hear(lab, "payment", CANCELLED).reason == "the gateway does not refund: frozen"


@pytest.mark.parametrize("reason", ["card declined", "x" * 5_000], ids=["short", "long"])
def test_a_card_that_is_refused_at_length_is_refused_all_the_same(lab: Lab, reason: str) -> None:
    says(lab, "gateway", charge={"status": "refused", "reason": reason})
    assert done(hear(lab, "payment", order_placed())) == "handled"
    assert (lab.state("payment").status, lab.state("payment").reason) == ("refused", reason[:300])
    assert lab.published()[0].data["reason"] == reason[:300]


@pytest.mark.parametrize(
    ("name", "service", "events"),
    [
        ("gateway", "payment", (order_placed(),)),
        ("carrier", "shipping", (*BEFORE_LABEL, CONFIRMED)),
    ],
    ids=["gateway", "carrier"],
)
def test_a_system_that_does_not_answer_is_named(lab: Lab, name: str, service: str, events: tuple[Event, ...]) -> None:
    lab.customer()
    says(lab, name, charge=Unavailable("timeout"), label=Unavailable("timeout"))
    outcome = hear(lab, service, *events)
    assert isinstance(outcome, Retry)
    assert outcome.reason == f"{name} gave no answer: timeout"


def test_an_address_that_was_erased_while_the_carrier_was_asked_is_for_a_person_to_settle(lab: Lab) -> None:
    lab.customer()
    says(lab, "carrier", label=Unavailable("timeout"))
    hear(lab, "shipping", *BEFORE_LABEL, CONFIRMED)
    stored = lab.store.get("customers", "zoe")
    assert stored is not None
    lab.store.delete("customers", "zoe", stored)
    outcomes = [hear(lab, "shipping", CONFIRMED) for _ in range(5)]
    [letter] = lab.letters("shipping")
    assert letter.detail == "the customer's address is gone, and the carrier may have been asked already"
    assert done(outcomes[3]) == "dead-lettered"


# What was noted


def test_the_document_of_a_shipment_says_what_became_of_it(lab: Lab) -> None:
    lab.customer()
    carrier = says(lab, "carrier", label={"status": "accepted", "tracking": "T-1"})
    hear(lab, "shipping", *BEFORE_LABEL, CONFIRMED)
    assert (lab.state("shipping").status, lab.state("shipping").tracking) == ("shipped", "T-1")
    [(_, asked)] = carrier.asked
    assert (asked["parcels"], asked["address"]["city"]) == (1, "Łódź")


@pytest.mark.parametrize("reason", ["no service", "x" * 5_000])
def test_a_carrier_that_refuses_at_length_refuses_all_the_same(lab: Lab, reason: str) -> None:
    lab.customer()
    says(lab, "carrier", label={"status": "refused", "reason": reason})
    assert done(hear(lab, "shipping", *BEFORE_LABEL, CONFIRMED)) == "handled"
    shipment = lab.state("shipping")
    assert (shipment.status, shipment.reason) == ("refused", reason[:300])
    assert shipment.confirmed, "what had arrived by then"
    assert lab.published()[0].data["reason"] == reason[:300]


def test_a_second_cancellation_of_a_shipment_changes_nothing(lab: Lab) -> None:
    """An order is cancelled once, but what is replayed under another id must not end in a dead-letter queue."""
    assert done(lab.deliver("shipping", enveloped(CANCELLED, "e-1"))) == "handled"
    assert done(lab.deliver("shipping", enveloped(CANCELLED, "e-2"))) == "handled"
    assert lab.state("shipping").status == "cancelled"


def test_a_reservation_that_was_shipped_is_settled_for_whoever_tells_of_it_again(lab: Lab) -> None:
    lab.stock("CUP", 5)
    hear(lab, "inventory", order_placed())
    for event_id in ("e-1", "e-2"):
        assert done(lab.deliver("inventory", enveloped(SHIPPED, event_id))) == "handled"
    assert lab.state("inventory").status == "shipped"


@pytest.mark.parametrize(("before", "found"), [((), "missing"), ((CANCELLED,), "released")], ids=["none", "released"])
def test_a_shipment_of_what_is_not_reserved_says_what_was_found(
    lab: Lab, before: tuple[Event, ...], found: str
) -> None:
    assert hear(lab, "inventory", *before, SHIPPED).reason == f"shipped while the reservation is {found}"


def test_a_reservation_that_was_refused_holds_nothing(lab: Lab) -> None:
    lab.stock("CUP", 1)
    hear(lab, "inventory", order_placed())
    assert (lab.state("inventory").status, lab.state("inventory").plan) == ("refused", ())


@pytest.mark.parametrize("held", [True, False])
def test_only_what_was_held_is_said_to_be_given_back(lab: Lab, held: bool) -> None:
    lab.stock("CUP", 5)

    def fail(method: str, collection: str, _key: str) -> None:
        if not held and (method, collection) == ("put", "stock"):
            raise Unavailable("died")

    lab.store.before = fail
    hear(lab, "inventory", order_placed(lines=(("CUP", 2),)))
    assert (lab.state("inventory").status == "reserved") == held
    lab.store.before = None
    hear(lab, "inventory", CANCELLED)
    released = lab.published("InventoryReleased")[0]
    assert released.data["lines"] == ([{"sku": "CUP", "quantity": 2}] if held else [])


def test_a_conversation_keeps_what_was_said_and_where(lab: Lab) -> None:
    hear(lab, "notification", CONFIRMED, SHIPPED)
    assert lab.state("notification").said == (("confirmation", "email"), ("shipped", "email"), ("shipped", "push"))


# When an intent began: what is too old is looked up first, what is not goes under its key again

HOUR = 3_600.0


def test_an_order_that_was_charged_long_ago_is_refunded_at_once_and_again_under_the_same_key(lab: Lab) -> None:
    gateway = says(lab, "gateway", charge={"status": "charged", "charge_id": "ch"}, refund=Unavailable("timeout"))
    hear(lab, "payment", order_placed())
    lab.clock.time += 30 * 24 * HOUR
    hear(lab, "payment", CANCELLED)
    lab.clock.time += 22 * HOUR
    hear(lab, "payment", CANCELLED)
    assert [method for method, _ in gateway.asked] == ["charge", "refund", "refund"]
    assert gateway.asked[1] == gateway.asked[2]
    lab.clock.time += 2 * HOUR
    gateway.answers["lookup"] = {"status": "refunded", "charge_id": "ch", "refund_id": "re"}
    assert done(hear(lab, "payment", CANCELLED)) == "handled"
    assert [method for method, _ in gateway.asked][3:] == ["lookup"]


def test_a_refund_of_a_charge_that_had_to_be_learned_begins_when_it_is_learned(lab: Lab) -> None:
    gateway = says(lab, "gateway", charge=Unavailable("timeout"), refund=Unavailable("timeout"))
    hear(lab, "payment", order_placed())
    lab.clock.time += 22 * HOUR
    gateway.answers["charge"] = {"status": "charged", "charge_id": "ch"}
    hear(lab, "payment", CANCELLED)
    lab.clock.time += 2 * HOUR
    hear(lab, "payment", CANCELLED)
    assert [method for method, _ in gateway.asked] == ["charge", "charge", "refund", "refund"]


def test_a_charge_that_never_arrived_rests_as_void_when_its_order_is_cancelled(lab: Lab) -> None:
    gateway = says(lab, "gateway", charge=Unavailable("timeout"), lookup={"status": "none"})
    hear(lab, "payment", order_placed())
    lab.clock.time += 30 * HOUR
    assert done(hear(lab, "payment", CANCELLED)) == "handled"
    assert [method for method, _ in gateway.asked] == ["charge", "lookup"]
    assert lab.state("payment").status == "void"


def test_a_refund_that_was_refused_begins_anew_under_another_key(lab: Lab) -> None:
    charged = {"status": "charged", "charge_id": "ch"}
    gateway = says(lab, "gateway", charge=charged, refund={"status": "refused", "reason": "not now"})
    hear(lab, "payment", order_placed(), CANCELLED)
    lab.clock.time += 22 * HOUR
    hear(lab, "payment", CANCELLED)
    lab.clock.time += 2 * HOUR
    gateway.answers["refund"] = {"status": "refunded", "refund_id": "re"}
    assert done(hear(lab, "payment", CANCELLED)) == "handled"
    refunds = [arguments["key"] for method, arguments in gateway.asked if method == "refund"]
    assert (len(gateway.asked), refunds) == (4, ["o-1.refund", "o-1.refund.2", "o-1.refund.3"])


def test_a_charge_that_never_arrived_begins_anew_under_a_key_that_then_stays(lab: Lab) -> None:
    gateway = says(lab, "gateway", charge=Unavailable("timeout"), lookup={"status": "none"})
    hear(lab, "payment", order_placed())
    lab.clock.time += 30 * HOUR
    hear(lab, "payment", order_placed())
    lab.clock.time += 1 * HOUR
    hear(lab, "payment", order_placed())
    assert [method for method, _ in gateway.asked] == ["charge", "lookup", "charge", "charge"]
    keys = [arguments["key"] for method, arguments in gateway.asked if method == "charge"]
    assert keys == ["o-1.charge.1", "o-1.charge.2", "o-1.charge.2"]


# Messages to customers


def asked_for(event_id: str = "e-1") -> Any:
    """A request for an e-mail."""
    event = NotificationRequested(
        **OF,
        notification_id="n-1",
        channel="email",
        template="confirmation",
        values={"order": "o-1", "amount": "1.00 EUR"},
    )
    return enveloped(event, event_id)


def noted(lab: Lab) -> tuple[str, str]:
    """What became of the message, and the note on it."""
    message = lab.state("email", "n-1")
    return message.status, message.note


def test_a_message_notes_under_which_id_the_provider_sent_it(lab: Lab) -> None:
    lab.customer()
    says(lab, "email", send={"status": "sent", "message_id": "m-7"})
    lab.deliver("email", asked_for())
    assert noted(lab) == ("sent", "m-7")


def test_a_message_that_cannot_be_sent_notes_why(lab: Lab) -> None:
    lab.deliver("email", asked_for())
    assert noted(lab) == ("undeliverable", "no contact")


def test_a_message_that_the_provider_refuses_notes_what_it_said(lab: Lab) -> None:
    lab.customer()
    says(lab, "email", send={"status": "refused", "reason": "mailbox full"})
    assert done(lab.deliver("email", asked_for())) == "handled"
    assert noted(lab) == ("undeliverable", "mailbox full")


def test_a_message_that_was_sent_is_settled_for_whoever_asks_for_it_again(lab: Lab) -> None:
    lab.customer()
    email = says(lab, "email", send={"status": "sent", "message_id": "m-7"})
    assert done(lab.deliver("email", asked_for("e-1"))) == "handled"
    assert done(lab.deliver("email", asked_for("e-2"))) == "handled"
    assert done(lab.deliver("email", asked_for("e-2"))) == "duplicate"
    assert len(email.asked) == 1


def test_a_message_that_another_delivery_is_sending_says_so(lab: Lab) -> None:
    lab.customer()
    reasons: list[str] = []
    email = says(lab, "email", send={"status": "sent", "message_id": "m-7"})
    email.meanwhile = lambda: reasons.append(retried(lab.deliver("email", asked_for())))
    assert done(lab.deliver("email", asked_for())) == "handled"
    assert reasons == ["another delivery is sending it"]


def test_a_provider_that_does_not_answer_is_named_and_the_next_delivery_may_send_at_once(lab: Lab) -> None:
    lab.customer()
    email = says(lab, "email", send=Unavailable("timeout"))
    assert retried(lab.deliver("email", asked_for())) == "email gave no answer: timeout"
    email.answers["send"] = {"status": "sent", "message_id": "m-7"}
    assert done(lab.deliver("email", asked_for())) == "handled"


# Files and the archive


def loads(lab: Lab, capsys: pytest.CaptureFixture[str], name: str, data: bytes) -> tuple[int, int, int]:
    """Load a file; answers what its log line counts: loaded, known, quarantined."""
    log.set_level("INFO")
    capsys.readouterr()
    lab.load_file(name, data)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [line] = [line for line in lines if line["message"] == "file loaded"]
    assert line["file"] == name
    return line["loaded"], line["known"], line["quarantined"]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("stock/a.csv", b"sku,quantity\nCUP,1\nPOT,2\npot,3\n"),
        ("catalogue/a.csv", b"sku,name,unit_price,currency\nCUP,Cup,1,EUR\nPOT,Pot,2,EUR\nPOT,,2,EUR\n"),
    ],
)
def test_the_log_counts_what_a_file_brought_what_was_there_and_what_was_put_aside(
    lab: Lab, capsys: pytest.CaptureFixture[str], name: str, rows: bytes
) -> None:
    assert loads(lab, capsys, name, rows) == (2, 0, 1)
    assert loads(lab, capsys, name, rows) == (0, 2, 1)


def test_every_price_is_written_over_the_one_before(lab: Lab) -> None:
    """``rev`` grows with each write, as in every document: a store may keep the version of one that changes nothing."""
    for number in (1, 2, 3):
        lab.load_file(f"catalogue/{number}.csv", b"sku,name,unit_price,currency\nCUP,Cup,%d,EUR\n" % number)
        document = lab.document("catalogue", "CUP")
        assert document is not None
        assert (document["schema"], document["rev"], document["state"]["unit_price"]) == (1, number, number)


def test_a_new_price_leaves_what_a_newer_release_wrote_beside_the_old_one(lab: Lab) -> None:
    rows = b"sku,name,unit_price,currency\nCUP,Cup,%d,EUR\n"
    lab.load_file("catalogue/1.csv", rows % 1)
    lab.store.overwrite("catalogue", "CUP", colour="blue")
    lab.load_file("catalogue/2.csv", rows % 2)
    document = lab.document("catalogue", "CUP")
    assert document is not None
    assert (document["state"]["unit_price"], document["state"]["colour"]) == (2, "blue")


def test_a_price_that_somebody_else_writes_at_the_same_time_is_written_all_the_same(lab: Lab) -> None:
    lost = iter([Conflict("first"), Conflict("second")])

    def lose(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "catalogue") and (conflict := next(lost, None)):
            raise conflict

    lab.store.before = lose
    assert done(lab.load_file("catalogue/a.csv", b"sku,name,unit_price,currency\nCUP,Cup,1,EUR\n")) == "loaded"
    assert lab.document("catalogue", "CUP") is not None


def test_a_line_of_the_archive_that_is_no_event_is_logged_with_what_is_wrong(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.set_level("INFO")
    objects = MemoryObjects()
    objects.put(archive.object_name(BEGIN, "u"), b'{"half": ')
    assert list(archive.read(objects, 0.0, BEGIN)) == []
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["message"] == "no event in the archive"
    assert "JSON" in line["reason"]


def test_days_before_do_not_hide_the_days_after() -> None:
    objects = MemoryObjects()
    event = enveloped(order_placed())
    objects.put(archive.object_name(BEGIN - 5 * 24 * HOUR, "old"), archive.lines([event.to_bytes()]))
    objects.put(archive.object_name(BEGIN, "new"), archive.lines([event.to_bytes()]))
    assert [each.id for each in archive.read(objects, BEGIN, BEGIN + 1)] == ["e-1"]


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's clock shows another zone's time."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_an_object_of_the_archive_is_named_in_utc_wherever_the_machine_is() -> None:
    assert archive.object_name(BEGIN, "u") == "events/2027/01/15/08_00_00Z_u.jsonl"
