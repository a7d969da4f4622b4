"""What the benchmarks of growth rest on, and what they show wherever they are run."""

from __future__ import annotations

import gc
from contextlib import redirect_stdout
from io import StringIO
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import pytest

from benchmarks.growth.hot import serve
from benchmarks.growth.memory import Long
from benchmarks.growth.orders import Shelves, stored
from orderflow import recent
from orderflow_cli.cost.counting import Workflow


def test_sharded_stock_serves_a_hot_sku_several_times_as_fast_as_one_document_does() -> None:
    with redirect_stdout(StringIO()):
        naive, sharded = serve(None, 1.0, 100, seed=0), serve(32, 1.0, 100, seed=0)
    assert sharded.goodput > 4 * naive.goodput
    assert sharded.lost < naive.lost / 2


def test_an_order_calls_the_store_as_often_with_a_thousand_orders_stored_as_with_ten() -> None:
    few, many = stored(10), stored(1_000)
    assert few().calls == many().calls


def test_the_store_is_filled_with_as_many_orders_as_are_wanted() -> None:
    store = Shelves()
    workflow = Workflow(store)
    before = len(store)
    workflow.run("shipped")
    of_one_order = sum(1 for name, _ in store.places() if name not in ("stock", "analytics", "catalogue", "customers"))
    store.fill(50, 1)
    assert of_one_order > 5
    assert len(store) - before >= 50 * of_one_order


def test_a_process_that_lives_long_holds_no_more_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 16)
    workflow = Long()
    _run(workflow, 40)
    before = {name: _held(shell) for name, shell in workflow.shells.items()}
    _run(workflow, 80)
    grown = {name: _held(shell) / before[name] for name, shell in workflow.shells.items()}
    assert max(grown.values()) < 1.5, grown


def _run(workflow: Long, orders: int) -> None:
    for _ in range(orders):
        workflow.run("shipped")
    workflow.forget()


def _held(shell: Any) -> int:
    """How many containers a shell holds, and what they hold, but for code."""
    seen: set[int] = set()
    waiting = [shell]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | BuiltinFunctionType):
            continue
        seen.add(id(each))
        waiting += gc.get_referents(each)
    return len(seen)
