"""What happened to this order? The answer an operator gets, from documents, logs and archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from added import added, write_package
from cli.desk import archive_all, desk, shipped
from orderflow.envelope import derived_id
from orderflow.events import OrderCancelled
from orderflow_cli.ops import orders
from orderflow_cli.ops.doors import CannotDo
from orderflow_cli.ops.timeline import Attempts, timeline
from unit.support import Lab


def test_a_timeline_has_every_event_with_its_cause_and_those_who_absorbed_it(lab: Lab) -> None:
    shipped(lab)

    story = timeline(desk(lab), "o-1")

    assert [entry.kind for entry in story.entries if entry.kind != "NotificationRequested"] == [
        "OrderPlaced",
        "InventoryReserved",
        "PaymentCompleted",
        "OrderConfirmed",
        "ShipmentCreated",
    ]
    placed, created = story.entries[0], next(entry for entry in story.entries if entry.kind == "ShipmentCreated")
    assert (placed.causation_id, placed.depth, placed.service) == (None, 0, "order")
    assert set(placed.absorbed_by) == {"inventory", "payment", "analytics"}
    assert created.depth > placed.depth
    assert created.causation_id in {entry.event_id for entry in story.entries}
    assert story.waits_for == []
    assert not any(entry.compensation for entry in story.entries)


def test_a_timeline_says_who_has_not_absorbed_what(lab: Lab) -> None:
    lab.place("o-1")
    lab.broker.queues["payment"].clear()  # It got lost on its way to payment.
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.run_to_rest()

    story = timeline(desk(lab), "o-1")

    assert story.waits_for == ["payment: OrderPlaced"]


def test_what_was_undone_is_marked(lab: Lab) -> None:
    shipped(lab, token="tok_refused")

    story = timeline(desk(lab), "o-1")

    undone = {entry.kind for entry in story.entries if entry.compensation}
    assert undone == {"OrderCancelled", "InventoryReleased", "PaymentVoided"}


def test_failed_attempts_are_shown_with_their_last_error(lab: Lab) -> None:
    lab.simulate("gateway", "down")
    lab.place("o-1")
    [delivery] = lab.broker.queues["payment"]
    lab.deliver("payment", delivery)

    [placed] = timeline(desk(lab), "o-1").entries

    assert placed.attempts == {"payment": Attempts(1, placed.attempts["payment"].last_error)}
    assert "gateway gave no answer" in placed.attempts["payment"].last_error


def test_duplicates_are_counted_from_the_logs_and_unknown_without_them(lab: Lab) -> None:
    shipped(lab)
    event_id = timeline(desk(lab), "o-1").entries[0].event_id
    line = {"message": "duplicate", "event_id": event_id, "service": "payment"}
    logs = [line, line, {**line, "event_id": "another"}, {**line, "message": "handled"}]

    assert timeline(desk(lab, logs=logs), "o-1").entries[0].duplicates == {"payment": 2}
    assert timeline(desk(lab), "o-1").entries[0].duplicates is None


def test_an_order_whose_documents_were_deleted_is_told_from_the_archive(lab: Lab) -> None:
    shipped(lab)
    archive_all(lab, but=("ShipmentCreated",))
    before = timeline(desk(lab), "o-1", archived=True)
    assert {entry.kind for entry in before.entries if not entry.archived} == {"ShipmentCreated"}
    for name in ("orders", "reservations", "payments", "shipments", "conversations"):
        stored = lab.ports.store.get(name, "o-1")
        assert stored is not None
        lab.ports.store.delete(name, "o-1", stored)

    story = timeline(desk(lab), "o-1", archived=True)

    assert {entry.kind for entry in story.entries} == {entry.kind for entry in before.entries} - {"ShipmentCreated"}
    with pytest.raises(CannotDo, match="nothing is known"):
        timeline(desk(lab), "o-1")


def test_an_order_is_shown_with_what_each_service_keeps_about_it(lab: Lab) -> None:
    shipped(lab)

    view = orders.show(desk(lab), "o-1")

    assert (view.row.status, view.row.closed) == ("shipped", True)
    assert {name: state.get("status") for name, state in view.services.items()} == {
        "inventory": "shipped",
        "payment": "charged",
        "shipping": "shipped",
        "notification": None,
    }


STAMPS = '''"""A stamp for each confirmed order; none for a cancelled one."""

from typing import ClassVar

from orderflow.events import Event, OrderCancelled, OrderConfirmed, OrderId
from orderflow.keys import safe_key
from orderflow.service import Commit, Ignore, Service
from orderflow.state import State


class StampGiven(Event):
    """A customer has a stamp."""

    category: ClassVar[str] = "stamps"
    order_id: OrderId


class Stamp(State):
    """The stamp for an order."""

    given: bool = True


SERVICE = Service(
    name="stamps",
    hears=(OrderConfirmed, OrderCancelled),
    emits=(StampGiven,),
    collection="stamps",
    state=Stamp,
    key=lambda event, _time: safe_key(event.order_id),
    decide=lambda stamp, event, _context: Ignore()
    if isinstance(event, OrderCancelled)
    else Commit(Stamp(), (StampGiven(order_id=event.order_id),) if stamp is None else ()),
)
'''


def test_a_service_that_was_added_is_part_of_the_story(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "shop_beside", stamps=STAMPS)
    monkeypatch.syspath_prepend(tmp_path)
    shipped(lab)
    [confirmed] = [event for event in lab.broker.published if event.kind == "OrderConfirmed"]
    with added("shop_beside"):
        before = timeline(desk(lab), "o-1")
        lab.deliver("stamps", confirmed)
        after = timeline(desk(lab), "o-1")
        kept = orders.show(desk(lab), "o-1").services

    assert "stamps: OrderConfirmed" in before.waits_for
    assert after.waits_for == []
    assert [entry.service for entry in after.entries if entry.kind == "StampGiven"] == ["stamps"]
    assert kept["stamps"] == {"given": True}


def test_orders_are_listed_newest_first_by_customer_and_by_status(lab: Lab) -> None:
    shipped(lab, "o-1")
    lab.clock.time += 10
    shipped(lab, "o-2", token="tok_refused")
    lab.clock.time += 10
    lab.place("o-3", customer="adam")

    def listed(**choice: str) -> list[str]:
        return [row.order_id for row in orders.list_orders(desk(lab), limit=10, **choice)]

    assert listed() == ["o-3", "o-2", "o-1"]
    assert listed(customer="zoe") == ["o-2", "o-1"]
    assert listed(status="cancelled") == ["o-2"]
    assert [row.order_id for row in orders.list_orders(desk(lab), limit=1)] == ["o-3"]
    with pytest.raises(CannotDo, match="no order is ever 'canceled'"):
        listed(status="canceled")


def test_an_operator_cancels_a_pending_order_once_and_the_services_undo_what_was_done(lab: Lab) -> None:
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("o-1")

    row = orders.cancel_order(desk(lab), "o-1", "the stock is damaged")
    orders.cancel_order(desk(lab), "o-1", "the stock is damaged")
    lab.run_to_rest()

    assert row.reason == "operator: the stock is damaged"
    assert lab.state("order").closed
    assert lab.state("inventory").status == "released"
    ids = {event.id for event in lab.published("OrderCancelled")}
    assert ids == {derived_id("o-1.cancel", "order", OrderCancelled.type_name(), "0")}, "as the API's own cancellation"


def test_a_confirmed_order_is_not_cancelled(lab: Lab) -> None:
    shipped(lab)

    with pytest.raises(CannotDo, match="too late: the order is shipped"):
        orders.cancel_order(desk(lab), "o-1", "too late")
    with pytest.raises(CannotDo, match="there is no order"):
        orders.cancel_order(desk(lab), "o-2", "never was")


def test_orders_that_stand_still_are_listed_with_what_they_wait_for_the_oldest_first(lab: Lab) -> None:
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("o-2", publish=False)
    lab.clock.time += 60
    lab.place("o-1", publish=False)
    lab.place("o-3")
    lab.run_to_rest()
    assert orders.list_stuck(desk(lab)) == []
    lab.clock.time += lab.settings.order_deadline

    found = orders.list_stuck(desk(lab))

    assert [order.order_id for order in found] == ["o-2", "o-1"]
    assert [awaited.service for awaited in found[0].awaits] == ["inventory", "payment"]
