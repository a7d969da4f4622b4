"""An order whose refund failed after all: what an operator does about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.desk import desk, shipped
from orderflow.record import load
from orderflow.services.order import SERVICE, told
from orderflow_cli.ops import orders
from orderflow_cli.ops.doors import CannotDo
from unit.support import Lab


def owing(lab: Lab) -> None:
    """An order that was cancelled, its refund failed."""
    lab.simulate("carrier", "refuse")
    shipped(lab)
    stored = lab.store.get(SERVICE.collection, "o-1")
    assert stored is not None
    record = load(SERVICE, stored)
    assert record.state is not None
    open_again = replace(record, state=told(record.state, "refund-failed", "re_1", lab.clock.now()))
    lab.store.replace(SERVICE.collection, "o-1", open_again.to_document(SERVICE), stored)
    lab.clock.time += lab.settings.order_deadline


def test_an_order_that_is_settled_closes_and_says_how(lab: Lab) -> None:
    owing(lab)
    doors = desk(lab)
    [stuck] = orders.list_stuck(doors)
    assert [awaited.kinds for awaited in stuck.awaits] == [("orderflow orders settle",)]

    row = orders.settle_order(doors, "o-1", "bank transfer")

    assert (row.status, row.closed) == ("cancelled", True)
    assert [change.get("note") for change in orders.show(doors, "o-1").history][-2:] == [
        "refund-failed: re_1",
        "settled: bank transfer",
    ]
    assert orders.list_stuck(doors) == []


def test_an_order_is_settled_once_and_only_where_there_is_something_to_settle(lab: Lab) -> None:
    owing(lab)
    doors = desk(lab)
    orders.settle_order(doors, "o-1", "bank transfer")
    with pytest.raises(CannotDo, match="nothing to settle"):
        orders.settle_order(doors, "o-1", "bank transfer")
    with pytest.raises(CannotDo, match="there is no order o-9"):
        orders.settle_order(doors, "o-9", "bank transfer")


def test_a_dry_run_refuses_what_the_real_one_would_refuse_and_changes_nothing(lab: Lab) -> None:
    owing(lab)
    doors = desk(lab)
    before = lab.store.get(SERVICE.collection, "o-1")

    assert orders.to_settle(doors, "o-1").order_id == "o-1"

    assert lab.store.get(SERVICE.collection, "o-1") == before
    orders.settle_order(doors, "o-1", "bank transfer")
    with pytest.raises(CannotDo, match="nothing to settle"):
        orders.to_settle(doors, "o-1")
    with pytest.raises(CannotDo, match="there is no order o-9"):
        orders.to_settle(doors, "o-9")


def test_settling_an_order_that_somebody_else_moves_on_loses_nothing(lab: Lab) -> None:
    owing(lab)

    def move_on(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", SERVICE.collection):
            lab.store.before = None
            lab.store.overwrite(SERVICE.collection, "o-1", sweeps=7)

    lab.store.before = move_on
    assert orders.settle_order(desk(lab), "o-1", "bank transfer").closed
    assert lab.state("order").sweeps == 7
