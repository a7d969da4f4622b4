"""How a SKU's stock and a day's totals are spread over documents: few writers want the same one, and no key is one that
a store does not take."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from orderflow.services import SERVICES, find
from orderflow.services.analytics import key as totals_key
from unit.support import Lab, enveloped, order_placed
from unit.test_messages_and_totals import confirmed

SHELVES = (1, 5, 2, 4)


def plan(order_id: str, quantity: int, shelves: tuple[int, ...] = SHELVES) -> dict[int, int]:
    """What inventory takes from which shard for an order over so many units."""
    lab = Lab.make()
    lab.stock("CUP", *shelves)
    lab.deliver("inventory", enveloped(order_placed(order_id, lines=(("CUP", quantity),))))
    reservation = lab.state("inventory", order_id)
    assert reservation.status == "reserved"
    return {hold.shard: hold.quantity for hold in reservation.plan}


@pytest.mark.parametrize(
    ("quantity", "allowed"),
    [
        (5, [{1: 5}]),
        (4, [{1: 4}, {3: 4}]),
        (6, [{1: 5, 3: 1}]),
        (10, [{1: 5, 3: 4, 2: 1}]),
        (12, [{0: 1, 1: 5, 2: 2, 3: 4}]),
    ],
)
def test_an_order_takes_from_as_few_shards_as_it_needs_the_fullest_first(
    quantity: int, allowed: list[dict[int, int]]
) -> None:
    for number in range(8):
        assert plan(f"o-{number}", quantity) in allowed


@pytest.mark.parametrize("shelves", [(9, 9, 9, 9), (0, 9, 0, 9)], ids=["first plan", "second plan"])
def test_orders_do_not_all_want_the_same_shard(shelves: tuple[int, ...]) -> None:
    taken = Counter(shard for number in range(40) for shard in plan(f"o-{number}", 1, shelves))
    assert set(taken) == {shard for shard, units in enumerate(shelves) if units}
    assert max(taken.values()) < 28


def test_totals_are_kept_by_the_minute_and_by_no_less_than_the_event() -> None:
    keys = [
        totals_key(confirmed(), f"2027-01-15T{time}.000Z") for time in ("08:00:00", "08:00:59", "08:01:00", "09:00:00")
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    events = [order_placed(f"o-{number}") for number in range(200)]
    shards = {totals_key(event, "2027-01-15T08:00:00.000Z") for event in events}
    assert len(shards) == 16


@pytest.mark.parametrize("service", SERVICES)
def test_every_documents_key_is_one_that_all_stores_take(service: str) -> None:
    declared = find(service)
    for event in declared.hears:
        values: dict[str, Any] = dict.fromkeys(event.model_fields, "ö/é #1")
        about = event.model_construct(**values)
        assert re.fullmatch(r"[A-Za-z0-9._=-]{1,200}", declared.key(about, "2027-01-15T08:00:00.000Z"))
