"""What surrounds the saga: fraud screening, notifications, the channels that send them, and the live totals."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.envelope import rfc3339
from orderflow.events import (
    CORE,
    Event,
    NotificationRequested,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentCompleted,
    PaymentRefunded,
    ShipmentCreated,
    StockReplenished,
)
from orderflow.ports import Unavailable
from orderflow.processing import Retry
from orderflow.services.analytics import BUCKETS_MS, Totals, merge
from orderflow.settings import Settings
from unit.support import BEGIN, Lab, done, enveloped, order_placed

OF: dict[str, Any] = {"order_id": "o-1", "customer_id": "zoe"}
AT = "2027-01-15T08:00:00.000Z"


def confirmed(total: int = 1_000, currency: str = "EUR") -> OrderConfirmed:
    """A confirmation over a total."""
    return OrderConfirmed(**OF, total=total, currency=currency, tier="standard", placed_at=AT)


def cancelled(total: int = 1_000) -> OrderCancelled:
    """A cancellation over a total."""
    return OrderCancelled(**OF, reason="payment-failed: card declined", total=total, currency="EUR")


# Fraud


@pytest.mark.parametrize(
    ("total", "quantity", "verdict", "reasons"),
    [
        (1_000_000, 499, "cleared", ()),
        (1_000_001, 1, "suspected", ("total",)),
        (100_001, 500, "suspected", ("quantity",)),
        (9_999_999, 600, "suspected", ("total", "quantity")),
    ],
)
def test_screening_suspects_large_totals_and_large_quantities(
    lab: Lab, total: int, quantity: int, verdict: str, reasons: tuple[str, ...]
) -> None:
    placed = order_placed(lines=(("CUP", 1), ("POT", quantity)), total=total, tier="high")
    assert done(lab.deliver("fraud", enveloped(placed))) == "handled"
    assert (lab.state("fraud").verdict, lab.state("fraud").reasons) == (verdict, reasons)
    assert [each.kind for each in lab.published()] == [f"Fraud{verdict.capitalize()}"]


# Notification


@pytest.mark.parametrize(
    ("event", "asked"),
    [
        (confirmed(), [("confirmation", "email")]),
        (confirmed(50_000), [("confirmation", "email")]),
        (confirmed(50_001), [("confirmation", "email"), ("confirmation", "sms")]),
        (cancelled(), [("cancelled", "email"), ("cancelled", "push")]),
        (cancelled(50_001), [("cancelled", "email"), ("cancelled", "push"), ("cancelled", "sms")]),
        (PaymentCompleted(**OF, charge_id="c", amount=99_999, currency="EUR"), [("receipt", "email")]),
        (PaymentRefunded(**OF, refund_id="r", amount=99_999, currency="EUR"), [("refund", "email")]),
        (ShipmentCreated(**OF, tracking="T", placed_at=AT), [("shipped", "email"), ("shipped", "push")]),
        (order_placed(), []),
    ],
    ids=lambda value: value.kind() if isinstance(value, Event) else "",
)
def test_the_rules_say_which_messages_are_due(lab: Lab, event: Event, asked: list[tuple[str, str]]) -> None:
    assert done(lab.deliver("notification", enveloped(event))) == ("handled" if asked else "ignored")
    assert [(each.data["template"], each.data["channel"]) for each in lab.published()] == asked
    assert [each.channel for each in lab.published()] == [channel for _, channel in asked]


def test_the_threshold_for_an_sms_is_a_setting() -> None:
    lab = Lab.make(Settings(elevated_from=10))
    lab.deliver("notification", enveloped(confirmed(11)))
    assert [each.channel for each in lab.published()] == ["email", "sms"]


def test_each_message_has_an_id_of_its_own_that_another_delivery_does_not_change(lab: Lab) -> None:
    lab.deliver("notification", enveloped(cancelled(60_000)))
    lab.deliver("notification", enveloped(cancelled(60_000)))
    ids = Counter(each.data["notification_id"] for each in lab.published())
    assert sorted(ids.values()) == [2, 2, 2]


@pytest.mark.parametrize(
    ("total", "currency", "shown"),
    [
        (123_456, "EUR", "1234.56 EUR"),
        (5, "USD", "0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (1_500, "JPY", "1500 JPY"),
        (1_234, "KWD", "1.234 KWD"),
        (10**12, "EUR", "10000000000.00 EUR"),
        (9_007_199_254_740_993, "EUR", "90071992547409.93 EUR"),
    ],
)
def test_an_amount_is_shown_in_its_currencys_units(lab: Lab, total: int, currency: str, shown: str) -> None:
    lab.deliver("notification", enveloped(confirmed(total, currency)))
    assert lab.published()[0].data["values"]["amount"] == shown


# Channels


def requested(channel: str = "email", template: str = "confirmation", **values: str) -> Any:
    """A request to send one message."""
    values = {"order": "o-1", "amount": "10.00 EUR", "reason": "x", "tracking": "T"} | values
    event = NotificationRequested(
        **OF,
        notification_id=f"n-{channel}",
        channel=channel,
        template=template,
        values=values,
    )
    return enveloped(event, f"e-{channel}")


class Provider:
    """A provider of messages that notes what it was asked to send."""

    def __init__(self, lab: Lab, channel: str = "email") -> None:
        self.sent: list[dict[str, Any]] = []
        self.answer: Any = {"status": "sent", "message_id": "m-1"}
        lab.ports.dependencies[channel] = self  # type: ignore[index]

    def send(self, **arguments: Any) -> Any:
        self.sent.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("channel", "contact"), [("email", "zoe@example.com"), ("sms", "+4930123456"), ("push", "device-1")]
)
def test_a_channel_sends_to_the_customers_contact(lab: Lab, channel: str, contact: str) -> None:
    lab.customer()
    provider = Provider(lab, channel)
    assert done(lab.deliver(channel, requested(channel))) == "handled"
    [message] = provider.sent
    assert (message["to"], message["key"]) == (contact, f"n-{channel}")
    assert message["subject"] == "Your order is confirmed"
    assert message["text"] == "Hello Zoë Ångström, your order o-1 over 10.00 EUR is confirmed."


@pytest.mark.parametrize("template", ["confirmation", "receipt", "refund", "shipped", "cancelled"])
def test_every_template_can_be_filled_in(lab: Lab, template: str) -> None:
    lab.customer(name="{order} {} %s 千代")
    provider = Provider(lab)
    assert done(lab.deliver("email", requested(template=template, reason="{name}"))) == "handled"
    assert "Hello {order} {} %s 千代, " in provider.sent[0]["text"]


def test_every_message_that_the_rules_ask_for_can_be_sent(lab: Lab) -> None:
    lab.customer()
    events = [
        confirmed(60_000),
        cancelled(60_000),
        PaymentCompleted(**OF, charge_id="c", amount=1, currency="EUR"),
        PaymentRefunded(**OF, refund_id="r", amount=1, currency="EUR"),
        ShipmentCreated(**OF, tracking="T", placed_at=AT),
    ]
    for number, event in enumerate(events):
        lab.broker.publish([enveloped(event, f"e-{number}")])
    lab.run_to_rest()
    assert len(list(lab.store.all("messages"))) == 9
    assert not [letter for name in ("notification", "email", "sms", "push") for letter in lab.letters(name)]


@pytest.mark.parametrize("contact", [None, ""])
def test_a_customer_without_that_contact_is_not_written_to(lab: Lab, contact: str | None) -> None:
    lab.customer(sms=contact)
    provider = Provider(lab, "sms")
    assert done(lab.deliver("sms", requested("sms"))) == "handled"
    assert provider.sent == []
    assert lab.state("sms", "n-sms").status == "undeliverable"


def test_an_unknown_customer_is_not_written_to(lab: Lab) -> None:
    provider = Provider(lab)
    assert done(lab.deliver("email", requested())) == "handled"
    assert provider.sent == []


def test_a_message_is_sent_once_however_often_it_is_asked_for(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab)
    for _ in range(3):
        lab.deliver("email", requested())
    lab.deliver("email", requested().replace(id="another"))
    assert len(provider.sent) == 1


def test_while_one_delivery_sends_another_waits_and_that_is_no_attempt(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab)
    outcomes: list[Any] = []
    send = provider.send

    def meanwhile(**arguments: Any) -> Any:
        outcomes.append(lab.deliver("email", requested()))
        return send(**arguments)

    provider.send = meanwhile  # type: ignore[method-assign]
    assert done(lab.deliver("email", requested())) == "handled"
    assert isinstance(outcomes[0], Retry)
    assert outcomes[0].after == lab.settings.send_lease
    assert len(provider.sent) == 1
    assert lab.store.calls["put", "attempts"] == 0


def test_a_sender_that_died_is_followed_by_another_when_its_lease_is_over(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab)
    provider.answer = SystemExit()

    with pytest.raises(SystemExit):
        raise_through(lab, provider)
    provider.answer = {"status": "sent", "message_id": "m-1"}
    assert isinstance(lab.deliver("email", requested()), Retry)
    lab.clock.time += lab.settings.send_lease + 1
    assert done(lab.deliver("email", requested())) == "handled"


def raise_through(lab: Lab, provider: Provider) -> None:
    """Let the process end in the middle of a call."""
    error = provider.answer

    def die(**_: Any) -> Any:
        raise error

    provider.send = die  # type: ignore[method-assign]
    try:
        lab.deliver("email", requested())
    finally:
        del provider.send


def test_a_provider_that_gives_no_answer_gives_the_lease_back_at_once(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab)
    provider.answer = Unavailable("timeout")
    assert isinstance(lab.deliver("email", requested()), Retry)
    provider.answer = {"status": "sent", "message_id": "m-1"}
    assert done(lab.deliver("email", requested())) == "handled"


def test_a_message_that_the_provider_refuses_is_not_tried_again(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab)
    provider.answer = {"status": "refused", "reason": "blocked"}
    assert done(lab.deliver("email", requested())) == "handled"
    assert (lab.state("email", "n-email").status, lab.state("email", "n-email").note) == ("undeliverable", "blocked")
    lab.deliver("email", requested())
    assert len(provider.sent) == 1


def test_a_channel_ignores_what_is_for_another(lab: Lab) -> None:
    lab.customer()
    provider = Provider(lab, "sms")
    assert done(lab.deliver("sms", requested("email"))) == "ignored"
    assert provider.sent == []


# Analytics


def totals(lab: Lab) -> Totals:
    """The totals of the day."""
    parts = [Totals.model_validate(document["state"]) for _, document in lab.store.all("analytics")]
    return merge(parts, "2027-01-15")


def test_every_event_is_counted_once(lab: Lab) -> None:
    envelopes = [enveloped(order_placed(f"o-{n}"), f"e-{n}") for n in range(50)]
    envelopes += [enveloped(StockReplenished(sku="CUP", quantity=1, row_id=f"r-{n}"), f"s-{n}") for n in range(7)]
    for envelope in [*envelopes, *envelopes]:
        assert done(lab.deliver("analytics", envelope)) in ("handled", "duplicate")
    assert totals(lab).events == {"OrderPlaced": 50, "StockReplenished": 7}


def test_revenue_is_what_was_paid_less_what_was_given_back_by_currency(lab: Lab) -> None:
    events = [
        PaymentCompleted(**OF, charge_id="c", amount=1_000, currency="EUR"),
        PaymentCompleted(**OF, charge_id="d", amount=500, currency="JPY"),
        PaymentRefunded(**OF, refund_id="r", amount=300, currency="EUR"),
        PaymentRefunded(**OF, refund_id="s", amount=90_000, currency="EUR", announced=False),
    ]
    for number, event in enumerate(events):
        lab.deliver("analytics", enveloped(event, f"e-{number}"))
    assert totals(lab).revenue == {"EUR": 700, "JPY": 500}


def test_cancellations_are_counted_by_their_reasons_code(lab: Lab) -> None:
    lab.deliver("analytics", enveloped(cancelled(), "e-1"))
    lab.deliver("analytics", enveloped(cancelled(), "e-2"))
    assert totals(lab).cancelled == {"payment-failed": 2}


@pytest.mark.parametrize(("seconds", "place"), [(0, 0), (0.1, 0), (0.101, 1), (3_600, 10), (3_601, 11), (-5, 0)])
def test_shipped_orders_are_counted_by_how_long_they_took(lab: Lab, seconds: float, place: int) -> None:
    event = ShipmentCreated(**OF, tracking="T", placed_at=AT)
    assert done(lab.deliver("analytics", enveloped(event, now=BEGIN + seconds))) == "handled"
    assert totals(lab).shipped_within.index(1) == place
    assert sum(totals(lab).shipped_within) == 1
    assert totals(lab).shipping_ms == max(0, round(seconds * 1000))


def test_the_totals_are_spread_over_many_documents(lab: Lab) -> None:
    for number in range(200):
        lab.deliver("analytics", enveloped(order_placed(f"o-{number}"), f"e-{number}"))
    assert len(list(lab.store.all("analytics"))) == 16


def test_an_hour_is_in_its_own_documents_and_a_day_is_found_by_its_index(lab: Lab) -> None:
    for hours in (0, 1, 24):
        lab.deliver("analytics", enveloped(order_placed(), f"e-{hours}", now=BEGIN + hours * 3600))
    keys = sorted(key for key, _ in lab.store.all("analytics"))
    assert [key[:13] for key in keys] == ["2027-01-15T08", "2027-01-15T09", "2027-01-16T08"]
    assert len(lab.store.query("analytics", "day", "2027-01-15").items) == 2


numbers = st.integers(0, 10**9)
counts = st.dictionaries(st.sampled_from(["a", "b", "c"]), numbers, max_size=3)
parts = st.builds(
    Totals,
    day=st.just("2027-01-15"),
    events=counts,
    revenue=st.dictionaries(st.sampled_from(["EUR", "JPY"]), st.integers(-(10**9), 10**9)),
    cancelled=counts,
    shipped_within=st.lists(numbers, min_size=len(BUCKETS_MS) + 1, max_size=len(BUCKETS_MS) + 1).map(tuple),
    shipping_ms=numbers,
)


@given(st.lists(parts, max_size=5), st.randoms(use_true_random=False))
def test_the_sum_does_not_depend_on_how_it_is_put_together(documents: list[Totals], random: Any) -> None:
    whole = merge(documents, "2027-01-15")
    shuffled = list(documents)
    random.shuffle(shuffled)
    half = len(documents) // 2
    again = merge([merge(shuffled[:half], "2027-01-15"), merge(shuffled[half:], "2027-01-15")], "2027-01-15")
    assert again == whole
    assert whole.shipping_ms == sum(each.shipping_ms for each in documents)
    assert sum(whole.events.values()) == sum(sum(each.events.values()) for each in documents)


def test_analytics_hears_every_event_there_is(lab: Lab) -> None:
    from orderflow.services.analytics import SERVICE

    assert set(SERVICE.hears) == set(CORE)
    assert all(SERVICE.lets_through({"kind": event.kind(), "category": event.category}) for event in CORE)


def test_an_event_of_any_time_zone_is_counted_in_utc(lab: Lab) -> None:
    lab.deliver("analytics", enveloped(order_placed(), time="2027-01-15T00:30:00+01:00"))
    assert [key[:13] for key, _ in lab.store.all("analytics")] == ["2027-01-14T23"]
    assert rfc3339(BEGIN) == AT
    assert OrderPlaced.kind() in totals(lab).events
