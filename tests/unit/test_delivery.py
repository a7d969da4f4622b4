"""What becomes of one delivery: handled, known already, ignored, put aside, or given back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orderflow.envelope import Envelope, derived_id
from orderflow.events import FraudCleared, InventoryReserved, OrderCancelled, OrderPlaced, PaymentCompleted
from orderflow.ports import Conflict, Delivery, Unavailable
from orderflow.processing import Retry
from orderflow.services import SERVICES
from unit.support import Lab, done, enveloped, order_placed


def test_an_event_is_handled_committed_and_its_answer_published(lab: Lab) -> None:
    lab.stock("CUP", 10, 10, 10, 10)
    placed = enveloped(order_placed())
    assert done(lab.deliver("inventory", placed)) == "handled"
    [answer] = lab.published()
    assert (answer.kind, answer.subject, answer.causationid, answer.correlationid) == (
        "InventoryReserved",
        "o-1",
        placed.id,
        "o-1",
    )
    assert answer.source == "/orderflow/inventory"
    assert answer.id == derived_id(placed.id, "inventory", InventoryReserved.type_name(), "0")
    assert lab.state("inventory").status == "reserved"


def test_what_an_event_causes_stays_in_its_trace(lab: Lab) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    lab.deliver("payment", enveloped(order_placed(), traceparent=parent))
    [answer] = lab.published()
    assert answer.traceparent is not None
    assert answer.traceparent.split("-")[1] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert answer.traceparent != parent


def test_a_second_delivery_publishes_the_same_bytes_and_does_nothing_again(lab: Lab) -> None:
    placed = enveloped(order_placed())
    assert done(lab.deliver("payment", placed)) == "handled"
    lab.clock.time += 3600
    document = lab.document("payments", "o-1")
    assert done(lab.deliver("payment", placed)) == "duplicate"
    first, second = lab.published()
    assert first.to_bytes() == second.to_bytes()
    assert lab.document("payments", "o-1") == document
    assert len(lab.entries("gateway")) == 1


def test_a_message_that_a_broker_wrote_in_its_own_way_is_the_same_message(lab: Lab) -> None:
    placed = enveloped(order_placed())
    lab.deliver("payment", placed)
    message = dict(reversed(json.loads(placed.to_bytes()).items()))
    message |= {
        "time": message["time"].replace(".000Z", "+00:00"),
        "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    }
    assert done(lab.deliver("payment", json.dumps(message, indent=2).encode())) == "duplicate"


def test_another_message_under_a_known_id_is_put_aside_and_changes_nothing(lab: Lab) -> None:
    lab.deliver("payment", enveloped(order_placed()))
    before = lab.document("payments", "o-1")
    other = enveloped(order_placed(total=1))
    assert done(lab.deliver("payment", other)) == "dead-lettered"
    [letter] = lab.letters("payment")
    assert letter.reason == "id-reused"
    assert letter.event_id == "e-1"
    assert letter.body == other.to_bytes()
    assert lab.document("payments", "o-1") == before
    assert len(lab.published()) == 1


def test_another_message_under_the_id_of_one_under_way_is_put_aside(lab: Lab) -> None:
    """The first has committed its intent and not its end: it is known by then."""
    lab.simulate("gateway", "down")
    lab.deliver("payment", enveloped(order_placed()))
    lab.simulate("gateway", "ok")
    assert done(lab.deliver("payment", enveloped(order_placed(total=1)))) == "dead-lettered"
    assert lab.letters("payment")[0].reason == "id-reused"
    assert lab.entries("gateway") == []
    assert done(lab.deliver("payment", enveloped(order_placed()))) == "handled"


def test_a_kind_that_a_service_does_not_hear_is_acknowledged_and_leaves_no_trace(lab: Lab) -> None:
    cleared = enveloped(FraudCleared(order_id="o-1"))
    for service in ("inventory", "payment", "shipping", "fraud", "email"):
        assert done(lab.deliver(service, cleared)) == "ignored"
    assert not lab.store.calls
    assert not lab.broker.calls


def test_a_message_past_the_subscriptions_filter_is_ignored_in_code_too(lab: Lab) -> None:
    """A broker need not have the filter: the Pub/Sub emulator ignores it."""
    assert done(lab.deliver("fraud", enveloped(order_placed(tier="standard")))) == "ignored"
    assert lab.state("fraud") is None
    assert done(lab.deliver("fraud", enveloped(order_placed(tier="high")))) == "handled"
    assert lab.state("fraud").verdict == "cleared"


def test_a_filter_is_held_against_the_message_itself_not_what_the_broker_says(lab: Lab) -> None:
    envelope = enveloped(order_placed(tier="standard"))
    lying = Delivery(envelope.to_bytes(), {"kind": "OrderPlaced", "category": "order", "tier": "high"})
    assert done(lab.deliver("fraud", lying)) == "ignored"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"null", b'{"specversion":"1.0"}', b"x" * 1_000_000])
def test_a_malformed_message_is_put_aside_unchanged_with_the_reason(lab: Lab, service: str, body: bytes) -> None:
    message = Delivery(body, {"kind": "OrderPlaced", "trace": "ö"}, "m7", 4)
    assert done(lab.deliver(service, message)) == "dead-lettered"
    [letter] = lab.letters(service)
    assert letter.body == body
    assert letter.attributes == message.attributes
    assert (letter.service, letter.reason, letter.attempts, letter.event_id) == (service, "malformed", 1, "")
    assert 0 < len(letter.detail) <= 1000
    assert letter.first_at == letter.last_at == "2027-01-15T08:00:00.000Z"


def test_an_event_whose_data_break_its_model_is_malformed(lab: Lab) -> None:
    bad = enveloped(order_placed(), data={"order_id": "o-1", "lines": "none"})
    assert done(lab.deliver("payment", bad)) == "dead-lettered"
    [letter] = lab.letters("payment")
    assert (letter.reason, letter.event_id) == ("malformed", "e-1")
    assert "data." in letter.detail


@pytest.mark.parametrize("type_name", ["com.example.orderflow.OrderPlaced.v2", "org.else.OrderPlaced.v1"])
def test_an_unknown_type_or_version_is_put_aside_and_not_lost(lab: Lab, type_name: str) -> None:
    unknown = enveloped(order_placed(), type=type_name)
    assert done(lab.deliver("payment", unknown)) == "dead-lettered"
    [letter] = lab.letters("payment")
    assert letter.reason == "unknown-event"
    assert type_name in letter.detail
    assert letter.body == unknown.to_bytes()


def test_a_bad_message_does_not_harm_its_neighbours(lab: Lab) -> None:
    good = [enveloped(order_placed(f"o-{n}"), f"e-{n}") for n in range(4)]
    bad = enveloped(order_placed(), "e-x", data={})
    batch: list[Envelope | bytes | Delivery] = [good[0], b"{", good[1], bad, good[2], b"\xff", good[3]]
    outcomes = [done(outcome) for outcome in lab.deliver_all("payment", batch)]
    assert outcomes == ["handled", "dead-lettered", "handled", "dead-lettered", "handled", "dead-lettered", "handled"]
    assert [lab.state("payment", f"o-{n}").status for n in range(4)] == ["charged"] * 4
    assert [letter.body for letter in lab.letters("payment")] == [b"{", bad.to_bytes(), b"\xff"]


def test_a_dead_letter_queue_that_cannot_be_reached_keeps_the_message(lab: Lab) -> None:
    lab.broker.box_error = Unavailable("down")
    outcome = lab.deliver("payment", b"{")
    assert isinstance(outcome, Retry)
    assert "dead-letter queue" in outcome.reason
    lab.broker.box_error = None
    assert done(lab.deliver("payment", b"{")) == "dead-lettered"
    assert len(lab.letters("payment")) == 1


def test_what_a_service_refuses_for_good_is_put_aside_at_once(lab: Lab) -> None:
    lab.deliver(
        "shipping",
        enveloped(PaymentCompleted(order_id="o-1", customer_id="zoe", charge_id="c", amount=1, currency="EUR")),
    )
    lab.store.overwrite("shipments", "o-1", status="shipped")
    cancelled = OrderCancelled(order_id="o-1", customer_id="zoe", reason="customer: x", total=1, currency="EUR")
    assert done(lab.deliver("shipping", enveloped(cancelled, "e-2"))) == "dead-lettered"
    [letter] = lab.letters("shipping")
    assert (letter.reason, letter.detail, letter.attempts) == ("refused", "cancelled while shipped", 1)


def test_a_publish_that_fails_after_the_commit_is_made_good_by_the_next_delivery(lab: Lab) -> None:
    lab.broker.refuses = lambda _: Unavailable("throttled")
    placed = enveloped(order_placed())
    assert isinstance(lab.deliver("payment", placed), Retry)
    assert lab.published() == []
    assert lab.state("payment").status == "charged"
    lab.broker.refuses = None
    lab.clock.time += 60
    assert done(lab.deliver("payment", placed)) == "duplicate"
    [published] = lab.published()
    assert published.to_bytes() == lab.broker.calls[0][0].to_bytes()
    assert len(lab.entries("gateway")) == 1


def test_a_lost_compare_and_set_is_decided_again_on_what_is_there_now(lab: Lab) -> None:
    lab.place()
    paid = PaymentCompleted(order_id="o-1", customer_id="zoe", charge_id="ch", amount=2_000, currency="EUR")
    reserved = InventoryReserved(order_id="o-1", customer_id="zoe", lines=())
    meddled: list[Any] = []

    def meddle(method: str, collection: str, _key: str) -> None:
        if method == "put" and collection == "orders" and not meddled:
            meddled.append(True)
            assert done(lab.deliver("order", enveloped(reserved, "e-2"))) == "handled"

    lab.store.before = meddle
    assert done(lab.deliver("order", enveloped(paid, "e-1"))) == "handled"
    assert lab.state("order").status == "confirmed"
    assert [each.kind for each in lab.published()] == ["OrderPlaced", "OrderConfirmed"]
    assert lab.document("attempts", "order.e-1") is None


def test_endless_conflicts_give_the_message_back_and_are_no_attempt(lab: Lab) -> None:
    def lose(method: str, collection: str, key: str) -> None:
        if method == "put" and collection == "payments":
            raise Conflict("another was first")

    lab.store.before = lose
    for _ in range(20):
        outcome = lab.deliver("payment", enveloped(order_placed()))
        assert isinstance(outcome, Retry)
        assert 0 < outcome.after <= 1
        assert "conflict" in outcome.reason
    assert lab.store.calls["put", "payments"] == 20 * lab.settings.conflict_tries
    assert lab.store.calls["put", "attempts"] == 0
    lab.store.before = None
    assert done(lab.deliver("payment", enveloped(order_placed()))) == "handled"


def test_the_bytes_of_a_unicode_order_go_through_unharmed(lab: Lab) -> None:
    placed = enveloped(order_placed(customer_id="千代 \U0001f375\u2028", order_id="ö/ä #?"), "é\U0001f600")
    assert done(lab.deliver("payment", placed)) == "handled"
    assert done(lab.deliver("payment", placed)) == "duplicate"
    assert lab.state("payment", "ö/ä #?").customer_id == "千代 \U0001f375\u2028"
    assert lab.published()[0].data["customer_id"] == "千代 \U0001f375\u2028"


def test_a_delivery_is_logged_with_its_ids_and_without_its_data(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.deliver("payment", enveloped(order_placed(payment_token="tok_secret_77", customer_id="zoe-secret")))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [line] = [line for line in lines if line.get("service") == "payment"]
    assert (line["event_id"], line["kind"], line["subject"], line["message"]) == (
        "e-1",
        OrderPlaced.kind(),
        "o-1",
        "handled",
    )
    assert "secret" not in json.dumps(lines)
