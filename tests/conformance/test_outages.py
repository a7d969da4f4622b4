"""Store and topic out of reach for a while: what the functions had in hand waits, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from conformance.world import World, order, placed
from waiting import wait_until


@contextmanager
def cut_off(world: World, what: str) -> Iterator[None]:
    """No function reaches the store, or the topic, for the length of a block."""
    assert world.machine is not None
    world.machine.cutter.cut(what)
    try:
        yield
    finally:
        world.machine.cutter.mend(what)


@pytest.mark.case(17, needs="machine")
@pytest.mark.parametrize("what", ["store", "topic"])
def test_orders_under_way_when_the_cloud_is_cut_off_end_when_it_is_back(world: World, sku: str, what: str) -> None:
    client = world.customer()
    order_ids = [placed(client, order(sku)) for _ in range(3)]
    with cut_off(world, what):
        wait_until(lambda: complaints(world) != [], "a function to notice")
    outcomes = {order_id: world.ended(client, order_id)["status"] for order_id in order_ids}

    world.at_rest(order_ids, crashes=True)

    assert set(outcomes.values()) == {"shipped"}
    assert [order_id for order_id in order_ids if world.letters(order_id)] == []


@pytest.mark.case(17, needs="machine")
def test_an_api_that_cannot_reach_its_store_says_so_and_keeps_no_half_order(world: World, sku: str) -> None:
    client = world.customer()
    with cut_off(world, "store"):
        answer = client.post("/orders", json=order(sku), headers={"idempotency-key": "once"}, timeout=60)
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:orderflow:problem:unavailable"

    again: list[httpx.Response] = []

    def taken() -> bool:
        again.append(client.post("/orders", json=order(sku), headers={"idempotency-key": "once"}, timeout=60))
        return again[-1].status_code == 202

    wait_until(taken, "the API to have found its store again")
    assert world.ended(client, again[-1].json()["order_id"])["status"] == "shipped"
    assert len(client.get("/orders").json()["orders"]) == 1


@pytest.mark.case(17, needs="machine")
def test_an_order_is_taken_although_the_topic_is_away_and_published_later(world: World, sku: str) -> None:
    """Publishing is somebody's duty after the commit: the sweeper's, if the API could not."""
    client = world.customer()
    with cut_off(world, "topic"):
        order_id = placed(client, order(sku))
        assert client.get(f"/orders/{order_id}").json()["status"] == "pending"
    world.rewind(order_id, due_at=1.0)  # The sweeper would look at it after a minute; now it looks at its next round.

    assert world.ended(client, order_id)["status"] == "shipped"


def complaints(world: World) -> list[str]:
    """Lines in which functions said that they could not reach something."""
    assert world.machine is not None
    return [line["message"] for line in world.machine.log_lines() if "Unavailable" in str(line.get("reason", ""))]
