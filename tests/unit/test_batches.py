"""A batch of messages: its deadline, and its events in as few publishes as can be."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from orderflow.app import App
from orderflow.driver import OutOfTime
from orderflow.events import InventoryReserved, NotificationRequested, PaymentCompleted
from orderflow.ports import Delivery, Unavailable
from orderflow.processing import Done, Outcome, Retry
from orderflow.settings import Settings
from unit.support import CUSTOMER, Lab, as_delivery, done, enveloped, order_placed


def orders(number: int) -> list[Delivery]:
    """As many OrderPlaced."""
    return [as_delivery(enveloped(order_placed(f"o-{n}"), f"e-{n}")) for n in range(number)]


def test_the_events_of_a_batch_go_out_in_one_call(lab: Lab) -> None:
    lab.deliver_all("payment", orders(10))
    assert [len(call) for call in lab.broker.calls] == [10]
    assert {each.subject for each in lab.broker.calls[0]} == {f"o-{n}" for n in range(10)}


def test_the_events_of_one_order_go_out_one_after_the_other_across_orders_together(lab: Lab) -> None:
    """Two messages of two orders with three notifications each: call by call, one event of each order."""
    for order in ("o-1", "o-2"):
        lab.deliver("notification", confirmed(order))
    lab.broker.calls.clear()
    lab.deliver_all("notification", [confirmed("o-1"), confirmed("o-2")])
    assert [[each.data["channel"] for each in call] for call in lab.broker.calls] == [
        ["email", "email"],
        ["sms", "sms"],
    ]
    assert [{each.data["order_id"] for each in call} for call in lab.broker.calls] == [{"o-1", "o-2"}] * 2


def confirmed(order_id: str) -> Delivery:
    """An OrderConfirmed that asks for two messages."""
    from orderflow.events import OrderConfirmed

    event = OrderConfirmed(
        order_id=order_id, customer_id="zoe", total=60_000, currency="EUR", tier="elevated", placed_at="2027-01-15"
    )
    return as_delivery(enveloped(event, f"e-{order_id}"))


def test_an_event_that_the_broker_does_not_take_holds_back_its_own_message_only(lab: Lab) -> None:
    lab.broker.refuses = lambda envelope: Unavailable("throttled") if envelope.subject == "o-1" else None
    outcomes = lab.deliver_all("payment", orders(3))
    assert [type(outcome) for outcome in outcomes] == [Done, Retry, Done]
    assert [each.subject for each in lab.published()] == ["o-0", "o-2"]


def test_after_an_event_that_was_not_taken_no_later_one_of_its_message_goes_out(lab: Lab) -> None:
    lab.broker.refuses = lambda envelope: Unavailable("throttled") if envelope.data["channel"] == "email" else None
    assert isinstance(lab.deliver("notification", confirmed("o-1")), Retry)
    assert lab.published() == []
    lab.broker.refuses = None
    assert done(lab.deliver("notification", confirmed("o-1"))) == "duplicate"
    assert [each.data["channel"] for each in lab.published()] == ["email", "sms"]


def test_a_broker_that_fails_altogether_gives_every_message_back(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_envelopes: object) -> list[Exception | None]:
        raise Unavailable("no connection")

    monkeypatch.setattr(lab.broker, "publish", explode)
    outcomes = lab.deliver_all("payment", orders(3))
    assert all(isinstance(outcome, Retry) and "no connection" in outcome.reason for outcome in outcomes)


def test_two_deliveries_of_one_event_in_a_batch_are_one(lab: Lab) -> None:
    message = orders(1)[0]
    notes = [done(outcome) for outcome in lab.deliver_all("payment", [message, message])]
    assert notes == ["handled", "duplicate"]
    assert len(lab.entries("gateway", "o-0")) == 1


def test_two_events_of_one_order_in_a_batch_are_both_absorbed(lab: Lab) -> None:
    lab.place()
    paid = PaymentCompleted(order_id="o-1", customer_id="zoe", charge_id="ch", amount=2_000, currency="EUR")
    reserved = InventoryReserved(order_id="o-1", customer_id="zoe", lines=())
    notes = [done(each) for each in lab.deliver_all("order", [enveloped(paid, "e-1"), enveloped(reserved, "e-2")])]
    assert notes == ["handled", "handled"]
    assert lab.state("order").status == "confirmed"


@pytest.mark.parametrize("steps", range(40))
def test_a_deadline_anywhere_hands_back_the_rest_and_nothing_is_run_twice(lab: Lab, steps: int) -> None:
    """The deadline comes before the n-th step of a batch, whichever it is; the batch then comes again."""
    batch = orders(4)
    count = itertools.count()
    outcomes = lab.deliver_all("payment", batch, late=lambda: next(count) >= steps)
    assert all(isinstance(outcome, Done | OutOfTime) for outcome in outcomes)
    given_back = [message for message, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, OutOfTime)]
    for message, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Done):
            order_id = f"o-{batch.index(message)}"
            assert order_id in {each.subject for each in lab.published()}, "done means published"

    again = lab.deliver_all("payment", given_back)
    assert all(isinstance(outcome, Done) for outcome in again)
    for number in range(4):
        assert lab.state("payment", f"o-{number}").status == "charged"
        assert len(lab.entries("gateway", f"o-{number}")) == 1
    assert {each.subject for each in lab.published()} == {f"o-{n}" for n in range(4)}
    assert len({each.id for each in lab.published()}) == 4
    assert lab.store.calls["put", "attempts"] == 0


def test_once_the_deadline_has_come_nothing_more_is_begun_not_even_a_publish(lab: Lab) -> None:
    """What is committed by then is published by the next delivery."""
    batch = orders(3)
    outcomes = lab.deliver_all(
        "payment", batch, late=lambda: lab.store.writes() > 0 and bool(lab.state("payment", "o-2"))
    )
    assert all(isinstance(outcome, OutOfTime) for outcome in outcomes)
    assert lab.broker.calls == []
    committed = [lab.state("payment", f"o-{n}").status for n in range(3)]
    assert committed == ["charged", "charged", "charging"]
    assert lab.entries("gateway", "o-2") == []
    notes = [done(outcome) for outcome in lab.deliver_all("payment", batch)]
    assert notes == ["duplicate", "duplicate", "handled"]
    assert len({each.id for each in lab.published()}) == 3


def test_some_deadlines_do_come_in_the_middle(lab: Lab) -> None:
    """So that the test above tests something: one and the same batch is cut in many ways."""
    seen = set()
    for steps in range(40):
        each = Lab.make()
        count = itertools.count()
        outcomes = each.deliver_all("payment", orders(4), late=lambda count=count, steps=steps: next(count) >= steps)  # type: ignore[misc]
        seen.add(sum(isinstance(outcome, Done) for outcome in outcomes))
        seen.add(("charged", sum(bool(each.entries("gateway", f"o-{n}")) for n in range(4))))  # type: ignore[arg-type]
    assert {0, 4} <= seen
    assert {("charged", n) for n in range(5)} <= seen


def test_an_app_gives_back_what_its_deadline_cut_off_and_says_so(lab: Lab) -> None:
    app = App(lab.ports, Settings())
    outcomes = app.consume("payment", orders(2), deadline=lab.clock.time)
    assert all(isinstance(outcome, Retry) and "OutOfTime" in outcome.reason for outcome in outcomes)
    assert not lab.store.calls["put", "payments"]
    outcomes = app.consume("payment", orders(2), deadline=lab.clock.time + 30)
    assert outcomes == [Done("handled"), Done("handled")]


def test_an_app_counts_its_deadline_by_the_clock(lab: Lab) -> None:
    """The gateway takes two seconds a call: of ten messages some fit, and none of them is cut after it was begun."""
    lab.simulate("gateway", "slow")
    outcomes = App(lab.ports, Settings()).consume("payment", orders(10), deadline=lab.clock.time + 7)
    charged = sum(bool(lab.entries("gateway", f"o-{n}")) for n in range(10))
    assert charged == 4
    assert len(outcomes) == 10
    assert any(isinstance(outcome, Retry) for outcome in outcomes)


def test_an_empty_batch_is_nothing(lab: Lab) -> None:
    assert App(lab.ports, Settings()).consume("payment", [], deadline=lab.clock.time + 1) == []
    assert lab.broker.calls == []


def test_an_unknown_service_is_an_error_of_the_deployment(lab: Lab) -> None:
    with pytest.raises(KeyError, match="nobody"):
        App(lab.ports, Settings()).consume("nobody", [], deadline=0)


def test_a_message_that_was_sent_is_recorded_as_sent_although_the_deadline_has_come(lab: Lab) -> None:
    """Stopping between the provider's answer and its record would send the message again."""
    lab.store.insert("customers", "ann", {"schema": 1, "rev": 1, "state": CUSTOMER})
    sent: list[str] = []

    class Provider:
        def send(self, **message: str) -> dict[str, str]:
            sent.append(message["key"])
            return {"status": "sent", "message_id": "m-1"}

    lab.ports.dependencies = {**lab.ports.dependencies, "email": Provider()}
    request = NotificationRequested(
        notification_id="n-1",
        order_id="o-1",
        customer_id="ann",
        channel="email",
        template="receipt",
        values={"order": "o-1", "amount": "1.00 EUR"},
    )

    for late in (lambda: bool(sent), lambda: False):
        [outcome] = lab.deliver_all("email", [enveloped(request)], late=late)
        assert done(outcome)

    assert sent == ["n-1"]


def in_groups(*groups: str) -> list[Delivery]:
    """An OrderPlaced for each, of another order each; the broker keeps those of a group in order."""
    return [replace(delivery, group=group) for delivery, group in zip(orders(len(groups)), groups, strict=True)]


def consumed(lab: Lab, deliveries: list[Delivery]) -> list[Outcome]:
    app = App(lab.ports, Settings())
    return app.consume("payment", deliveries, deadline=lab.clock.now() + 30)


def test_after_a_message_that_is_given_back_the_rest_of_its_group_is_given_back_untouched(lab: Lab) -> None:
    lab.broker.refuses = lambda envelope: Unavailable("throttled") if envelope.subject == "o-0" else None
    outcomes = consumed(lab, in_groups("a", "b", "a", "b", "", "a"))
    assert [type(outcome) for outcome in outcomes] == [Retry, Done, Retry, Done, Done, Retry]
    assert len({outcome.after for outcome in outcomes if isinstance(outcome, Retry)}) == 1
    assert [number for number in range(6) if lab.state("payment", f"o-{number}")] == [0, 1, 3, 4]


def test_messages_of_a_group_are_published_one_after_the_other_and_groups_together(lab: Lab) -> None:
    consumed(lab, in_groups("a", "b", "a", ""))
    assert [[each.subject for each in call] for call in lab.broker.calls] == [["o-0", "o-1", "o-3"], ["o-2"]]
