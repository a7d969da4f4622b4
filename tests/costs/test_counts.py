"""How many calls an order takes, exactly. docs/cost.md says why each is needed: whoever changes a figure here changes
that page."""

from __future__ import annotations

import pytest

from orderflow.settings import Settings
from orderflow_cli.cost.counting import SKUS, Counted, Workflow, count

FIGURES = ("executions", "http", "deliveries", "reads", "writes", "lost", "publish calls", "events")

APART = {
    "shipped": (28, 1, 27, 36, 37, 0, 9, 9),
    "out-of-stock": (37, 1, 36, 40, 40, 0, 12, 12),
    "payment-refused": (27, 1, 26, 29, 31, 0, 8, 8),
    "cancelled": (47, 2, 45, 55, 47, 5, 14, 14),
}
"""Each delivery finds a process that remembers nothing."""

TOGETHER = {
    "shipped": (28, 1, 27, 16, 37, 0, 9, 9),
    "out-of-stock": (37, 1, 36, 12, 40, 0, 12, 12),
    "payment-refused": (27, 1, 26, 12, 31, 0, 8, 8),
    "cancelled": (47, 2, 45, 27, 42, 0, 14, 14),
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


def test_a_line_of_an_order_takes_a_read_and_a_write_of_its_stock_to_reserve_and_to_ship() -> None:
    reserving, shipping = [each for each in count("shipped").executions if each.service == "inventory"]
    stock = [[call.operation for call in each.calls if call.collection == "stock"] for each in (reserving, shipping)]
    assert stock == [["get"] * len(SKUS) + ["replace"] * len(SKUS), ["get", "replace"] * len(SKUS)]
    own = [call.operation for call in reserving.calls if call.collection == "reservations"]
    assert own == ["insert", "replace"], "the plan's own write, after the stock was read, is the fence"


def test_a_line_over_a_sku_of_several_shards_takes_one_read_more_and_no_write() -> None:
    wide, narrow = (Workflow(shards=shards).run("shipped").totals() for shards in (7, 1))
    assert wide["reads"] == narrow["reads"] + len(SKUS)
    assert wide["writes"] == narrow["writes"]


def test_an_event_that_a_service_does_nothing_about_takes_no_call() -> None:
    idle = [each for each in count("shipped").executions if not each.calls]
    assert {(each.service, each.kind) for each in idle} == {
        ("notification", "OrderPlaced"),
        ("notification", "InventoryReserved"),
    }


def test_an_order_takes_the_same_calls_and_bytes_however_many_orders_are_stored() -> None:
    workflow = Workflow(together=True, clock=_Minutes())
    orders = [workflow.run("shipped") for _ in range(60)]
    assert orders[59].totals() == orders[10].totals()
    assert abs(_written(orders[59]) - _written(orders[10])) < 20, "only numbers with more digits may be longer"


@pytest.mark.parametrize("lines", [1, 2, 9, 50])
def test_a_line_more_takes_three_reads_and_two_writes_more_and_no_more_events(lines: int) -> None:
    totals = _of_lines(lines).totals()
    assert totals["reads"] == 30 + 3 * lines
    assert totals["writes"] == 33 + 2 * lines
    assert (totals["deliveries"], totals["publish calls"], totals["events"]) == (27, 9, 9)


def test_what_a_line_adds_to_the_bytes_written_does_not_depend_on_the_lines_before_it() -> None:
    ten, thirty, fifty = (_written(_of_lines(lines)) for lines in (10, 30, 50))
    assert (fifty - thirty) / (thirty - ten) < 1.05


def _of_lines(lines: int) -> Counted:
    dear = Settings(elevated_from=10**9, high_from=10**9, suspect_from=10**9)
    return Workflow(skus=[f"SKU-{number:03d}" for number in range(lines)], settings=dear).run("shipped")


def _written(order: Counted) -> int:
    return sum(call.size for each in order.executions for call in each.calls if call.operation in ("insert", "replace"))


class _Minutes:
    """A minute later each time that it is asked, so that no two events share a minute's totals."""

    def __init__(self) -> None:
        self._now = 1_800_000_000.0

    def now(self) -> float:
        self._now += 60.0
        return self._now

    def sleep(self, seconds: float) -> None:
        return
