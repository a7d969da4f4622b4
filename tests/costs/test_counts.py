"""How many calls an order takes, exactly. docs/cost.md says why each is needed: whoever changes a figure here changes
that page."""

from __future__ import annotations

import pytest

from orderflow_cli.cost.counting import SKUS, count

FIGURES = ("executions", "http", "deliveries", "reads", "writes", "lost", "publish calls", "events")

APART = {
    "shipped": (28, 1, 27, 38, 37, 0, 9, 9),
    "out-of-stock": (37, 1, 36, 50, 44, 0, 12, 12),
    "payment-refused": (27, 1, 26, 31, 31, 0, 8, 8),
    "cancelled": (47, 2, 45, 55, 47, 5, 14, 14),
}
"""Each delivery finds a process that remembers nothing."""

TOGETHER = {
    "shipped": (28, 1, 27, 18, 37, 0, 9, 9),
    "out-of-stock": (37, 1, 36, 22, 44, 0, 12, 12),
    "payment-refused": (27, 1, 26, 14, 31, 0, 8, 8),
    "cancelled": (47, 2, 45, 29, 42, 0, 14, 14),
}
"""One process for each service, which has seen some orders before."""


@pytest.mark.parametrize("path", APART)
def test_an_order_takes_this_many_calls_where_processes_remember_nothing(path: str) -> None:
    assert tuple(count(path).totals()[figure] for figure in FIGURES) == APART[path]


@pytest.mark.parametrize("path", TOGETHER)
def test_an_order_takes_fewer_reads_where_processes_remember(path: str) -> None:
    assert tuple(count(path, together=True).totals()[figure] for figure in FIGURES) == TOGETHER[path]


def test_every_event_is_published_once_and_heard_by_those_who_subscribe() -> None:
    shipped = count("shipped").executions
    heard = [(execution.service, execution.kind) for execution in shipped if execution.kind == "OrderPlaced"]
    assert sorted(service for service, _ in heard) == ["analytics", "inventory", "notification", "payment"]


def test_a_line_of_an_order_takes_a_fenced_compare_and_set_to_reserve_and_one_to_ship() -> None:
    reserving, shipping = [each for each in count("shipped").executions if each.service == "inventory"]
    stock = [[call.operation for call in each.calls if call.collection == "stock"] for each in (reserving, shipping)]
    assert stock == [["get", "replace"] * len(SKUS)] * 2
    fences = [call for call in reserving.calls if (call.operation, call.collection) == ("get", "reservations")]
    assert len(fences) == len(SKUS), "the reservation is read once for each line, and not before it is written"


def test_an_event_that_a_service_does_nothing_about_takes_no_call() -> None:
    idle = [each for each in count("shipped").executions if not each.calls]
    assert {(each.service, each.kind) for each in idle} == {
        ("notification", "OrderPlaced"),
        ("notification", "InventoryReserved"),
    }
