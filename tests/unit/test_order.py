"""The order's state machine: every event in every state, and who ends up owing what."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.events import (
    Event,
    FraudCleared,
    FraudSuspected,
    InventoryReleased,
    InventoryReserved,
    OrderCancelled,
    OrderConfirmed,
    OutOfStock,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    ShipmentCreated,
    ShipmentRefused,
    Shortage,
)
from orderflow.service import Commit, Context, Fail, Refuse
from orderflow.services.order import SERVICE, Order, cancel, decide, due_shard, index, tier_of
from orderflow.settings import Settings
from unit.support import BEGIN, new_order

CONTEXT = Context(BEGIN + 10, Settings(), "2027-01-15T08:00:10.000Z")
OF: dict[str, Any] = {"order_id": "o-1", "customer_id": "zoe"}
MONEY: dict[str, Any] = {"amount": 2_000, "currency": "EUR"}

RESERVED = InventoryReserved(**OF, lines=())
PAID = PaymentCompleted(**OF, **MONEY, charge_id="ch")
CLEARED = FraudCleared(order_id="o-1")
SHORT = OutOfStock(order_id="o-1", missing=(Shortage(sku="CUP", requested=2, available=1),))
DECLINED = PaymentFailed(**OF, reason="card declined")
SUSPECTED = FraudSuspected(order_id="o-1", reasons=("total", "quantity"))
SHIPPED = ShipmentCreated(**OF, tracking="TRK1", placed_at="2027-01-15T08:00:00.000Z")
NOT_SHIPPED = ShipmentRefused(order_id="o-1", reason="no service")
RELEASED = InventoryReleased(order_id="o-1", lines=())
REFUNDED = PaymentRefunded(**OF, **MONEY, refund_id="re")
VOIDED = PaymentVoided(order_id="o-1")
ALL = (RESERVED, PAID, CLEARED, SHORT, DECLINED, SUSPECTED, SHIPPED, NOT_SHIPPED, RELEASED, REFUNDED, VOIDED)


def at(status: str, **more: Any) -> Order:
    """An order in a state that it can be in."""
    fields: dict[str, Any] = {"status": status}
    if status in ("confirmed", "shipped"):
        fields |= {"reserved": True, "paid": True}
    if status == "shipped":
        fields |= {"closed": True, "tracking": "TRK1"}
    if status == "cancelled":
        fields |= {"reason": "customer: x"}
    return new_order().model_copy(update={**fields, **more})


def told(order: Order, *events: Event, context: Context = CONTEXT) -> tuple[Order, list[str]]:
    """An order after events that it must accept, and the kinds that it emitted."""
    emitted = []
    for event in events:
        decision = decide(order, event, context)
        assert isinstance(decision, Commit), (event, decision)
        order = decision.state
        emitted += [each.kind() for each in decision.emit]
    return order, emitted


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (SHORT, "out-of-stock: CUP"),
        (DECLINED, "payment-failed: card declined"),
        (SUSPECTED, "fraud-suspected: total, quantity"),
    ],
)
def test_a_pending_order_is_cancelled_by_bad_news_once(event: Event, reason: str) -> None:
    order, emitted = told(at("pending"), event)
    assert (order.status, order.reason, emitted) == ("cancelled", reason, ["OrderCancelled"])
    assert order.history[-1].note == reason
    for more in (SHORT, DECLINED, SUSPECTED):
        again, emitted = told(order, more)
        assert (again.status, again.reason, emitted) == ("cancelled", reason, [])


def test_the_cancellation_says_why_and_of_what() -> None:
    decision = decide(at("pending"), DECLINED, CONTEXT)
    assert isinstance(decision, Commit)
    assert decision.emit == (OrderCancelled(**OF, reason="payment-failed: card declined", total=2_000, currency="EUR"),)


@pytest.mark.parametrize("events", list(permutations([RESERVED, PAID])))
def test_an_order_is_confirmed_when_it_is_reserved_and_paid(events: tuple[Event, ...]) -> None:
    half, emitted = told(at("pending"), events[0])
    assert (half.status, emitted) == ("pending", [])
    order, emitted = told(half, events[1])
    assert (order.status, emitted) == ("confirmed", ["OrderConfirmed"])
    assert told(order, *events) == (order, []), "a confirmation is said once"


def test_the_confirmation_has_what_others_need() -> None:
    decision = decide(at("pending", reserved=True), PAID, CONTEXT)
    assert isinstance(decision, Commit)
    [event] = decision.emit
    assert isinstance(event, OrderConfirmed)
    assert (event.total, event.tier, event.placed_at) == (2_000, "standard", "2027-01-15T08:00:00.000Z")


HOLDING = Context(BEGIN + 10, Settings(hold_for_screening=True), "2027-01-15T08:00:10.000Z")


@pytest.mark.parametrize("events", list(permutations([RESERVED, PAID, CLEARED])))
def test_a_high_order_waits_for_its_screening_if_that_is_wanted(events: tuple[Event, ...]) -> None:
    order, emitted = told(at("pending", tier="high"), *events[:2], context=HOLDING)
    assert (order.status, emitted) == ("pending", [])
    order, emitted = told(order, events[2], context=HOLDING)
    assert (order.status, emitted) == ("confirmed", ["OrderConfirmed"])


@pytest.mark.parametrize(("tier", "context"), [("elevated", HOLDING), ("standard", HOLDING), ("high", CONTEXT)])
def test_nobody_else_waits_for_a_screening(tier: str, context: Context) -> None:
    assert told(at("pending", tier=tier), RESERVED, PAID, context=context)[0].status == "confirmed"


@pytest.mark.parametrize("event", [RESERVED, PAID, CLEARED, SHORT, DECLINED, SUSPECTED])
@pytest.mark.parametrize("status", ["confirmed", "shipped", "cancelled"])
def test_late_news_change_no_decision(status: str, event: Event) -> None:
    order, emitted = told(at(status), event)
    assert (order.status, order.closed, emitted) == (status, at(status).closed, [])
    assert order.history == at(status).history


def test_a_confirmed_order_is_shipped_and_closed() -> None:
    order, emitted = told(at("confirmed"), SHIPPED)
    assert (order.status, order.closed, order.tracking, emitted) == ("shipped", True, "TRK1", [])
    assert [change.status for change in order.history] == ["pending", "shipped"]
    assert told(order, SHIPPED) == (order, [])


def test_a_confirmed_order_that_no_carrier_takes_is_cancelled() -> None:
    order, emitted = told(at("confirmed"), NOT_SHIPPED)
    assert (order.status, order.closed, order.reason) == ("cancelled", False, "shipment-refused: no service")
    assert emitted == ["OrderCancelled"]
    assert told(order, NOT_SHIPPED) == (order, [])


@pytest.mark.parametrize(
    ("status", "event"),
    [
        ("pending", SHIPPED),
        ("cancelled", SHIPPED),
        ("pending", NOT_SHIPPED),
        ("shipped", NOT_SHIPPED),
    ],
)
def test_a_shipment_that_the_arbiter_did_not_allow_is_refused_aloud(status: str, event: Event) -> None:
    decision = decide(at(status), event, CONTEXT)
    assert isinstance(decision, Refuse)
    assert status in decision.reason


@pytest.mark.parametrize("money", [REFUNDED, VOIDED])
def test_a_cancelled_order_is_closed_by_the_second_of_both_answers(money: Event) -> None:
    for first, second in permutations([RELEASED, money]):
        half, emitted = told(at("cancelled"), first)
        assert (half.closed, emitted) == (False, [])
        order, emitted = told(half, second)
        assert (order.closed, order.status, emitted) == (True, "cancelled", [])
        assert told(order, first, second)[0].closed


@pytest.mark.parametrize("event", [RELEASED, REFUNDED, VOIDED])
def test_a_shipped_order_stays_closed_whatever_comes(event: Event) -> None:
    assert told(at("shipped"), event)[0].closed


@pytest.mark.parametrize("status", ["pending", "confirmed"])
def test_an_order_that_is_on_its_way_is_not_closed_by_answers_to_a_cancellation(status: str) -> None:
    assert not told(at(status), RELEASED, REFUNDED)[0].closed


@pytest.mark.parametrize("event", ALL)
def test_an_answer_to_an_order_that_is_not_there_is_tried_again(event: Event) -> None:
    assert isinstance(decide(None, event, CONTEXT), Fail)


@pytest.mark.parametrize(("status", "event"), list(product(["pending", "confirmed", "shipped", "cancelled"], ALL)))
def test_every_event_in_every_state_is_decided(status: str, event: Event) -> None:
    decision = decide(at(status), event, CONTEXT)
    assert isinstance(decision, Commit | Refuse)
    if isinstance(decision, Commit):
        allowed = {
            "pending": {"pending", "confirmed", "cancelled"},
            "confirmed": {"confirmed", "shipped", "cancelled"},
            "shipped": {"shipped"},
            "cancelled": {"cancelled"},
        }
        assert decision.state.status in allowed[status]
        assert (decision.state.status != status) == (len(decision.state.history) == 2)
        kinds = {"confirmed": "OrderConfirmed", "cancelled": "OrderCancelled"}
        expected = [kinds[decision.state.status]] if decision.state.status != status != "confirmed" else []
        if status == "confirmed" and decision.state.status == "cancelled":
            expected = ["OrderCancelled"]
        assert [each.kind() for each in decision.emit] == expected


def test_the_order_hears_every_event_that_it_decides_about() -> None:
    assert set(SERVICE.hears) == {type(event) for event in ALL}


@given(st.lists(st.sampled_from(ALL), max_size=12))
def test_whatever_arrives_in_whatever_order_an_order_is_confirmed_or_cancelled_once(events: list[Event]) -> None:
    order = at("pending")
    said: list[str] = []
    for event in events:
        decision = decide(order, event, CONTEXT)
        if isinstance(decision, Commit):
            order = decision.state
            said += [each.kind() for each in decision.emit]
    assert said in ([], ["OrderConfirmed"], ["OrderCancelled"], ["OrderConfirmed", "OrderCancelled"])
    assert (order.status in ("confirmed", "shipped")) == (said == ["OrderConfirmed"])
    assert (order.status == "cancelled") == ("OrderCancelled" in said)
    assert not order.closed or order.status in ("shipped", "cancelled")


def test_a_reason_of_any_length_is_told_in_short() -> None:
    skus = tuple(Shortage(sku=f"SKU-{number:060d}", requested=1, available=0) for number in range(100))
    order, _ = told(at("pending"), OutOfStock(order_id="o-1", missing=skus))
    assert order.reason is not None
    assert len(order.reason) <= 300
    assert order.reason.startswith("out-of-stock: SKU-")


@pytest.mark.parametrize(
    ("total", "tier"),
    [(0, "standard"), (50_000, "standard"), (50_001, "elevated"), (100_000, "elevated"), (100_001, "high")],
)
def test_tiers_begin_above_their_thresholds(total: int, tier: str) -> None:
    assert tier_of(total, Settings()) == tier


def test_an_open_order_is_found_by_its_due_time_and_a_closed_one_is_not() -> None:
    order = at("pending")
    assert index(order)["due"] == [f"due-{order.due_shard}", f"{BEGIN + 60:017.3f}"]
    assert index(order)["customer"][0] == "zoe"
    assert "due" not in index(at("shipped"))
    assert "customer" in index(at("shipped"))


def test_due_times_sort_as_times() -> None:
    from orderflow.services.order import due_sort

    times = [0.0, 9.999, 10.0, 1e9, 1_800_000_000.5, 9_999_999_999.0]
    assert sorted(map(due_sort, times)) == [due_sort(time) for time in times]


def test_open_orders_are_spread_over_the_sweepers_partitions() -> None:
    shards = {due_shard(f"o-{number}", Settings()) for number in range(100)}
    assert shards == set(range(Settings().sweep_shards))


def test_cancelling_keeps_what_the_order_was() -> None:
    commit = cancel(at("pending"), "customer: x", BEGIN)
    assert commit.state.lines == at("pending").lines
    assert [(change.status, change.note) for change in commit.state.history] == [
        ("pending", None),
        ("cancelled", "customer: x"),
    ]
