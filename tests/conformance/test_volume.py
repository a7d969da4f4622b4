"""The same promises with more of everything: more orders for the same goods, a longer backlog, more crashes."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.probes import Broker
from conformance.test_broker import OURS, collect, event
from conformance.test_outages import complaints, cut_off
from conformance.world import World, fact, order, placed
from orderflow.claims import decode
from orderflow.events import NotificationRequested
from waiting import wait_until

pytestmark = pytest.mark.full

LONG_S = 1_800.0


@pytest.mark.case(1, needs="topic")
def test_a_batch_of_many_times_what_a_call_takes_arrives_whole(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = [event({"number": number, "text": "x" * 20_000}) for number in range(250)]
    world.publish(*sent)

    received = collect(probe, 250)

    assert {decode(message.body).id for message in received} == {each.id for each in sent}


@pytest.mark.case(3, needs="machine")
def test_hosts_that_die_all_the_time_lose_and_double_nothing(world: World) -> None:
    assert world.machine is not None
    client, sku = world.customer(), world.stocked(1_000)
    order_ids = []
    for number in range(60):
        order_ids.append(placed(client, order(sku, token="tok_lost" if number % 3 == 0 else "tok_visa")))
        for host in world.machine.cloud.hosts() if number % 6 == 5 else []:
            if "api" not in host.name and host.name != "http":
                world.machine.cloud.kill_host(host.name)
    wait_until(lambda: all(world.closed(order_id) for order_id in order_ids), "all orders to end", LONG_S)

    verdict = world.at_rest(order_ids, {sku: 1_000}, crashes=True, within_s=LONG_S)

    assert verdict.outcomes == {"shipped": 60}
    assert [order_id for order_id in order_ids if world.letters(order_id)] == []


@pytest.mark.case(13, needs="compare-and-set")
def test_a_thousand_orders_for_the_last_two_hundred_pieces_ship_exactly_two_hundred(world: World) -> None:
    client, sku = world.customer(), world.stocked(200)
    with ThreadPoolExecutor(4) as pool:
        order_ids = list(pool.map(lambda number: placed(client, order(sku), f"{sku}-{number}"), range(1_000)))
    open_orders = set(order_ids)

    def all_ended() -> bool:
        open_orders.difference_update([order_id for order_id in open_orders if world.closed(order_id)])
        return not open_orders

    wait_until(all_ended, "all orders to end", LONG_S)
    verdict = world.at_rest(order_ids, {sku: 200}, within_s=LONG_S)

    assert verdict.outcomes == {"shipped": 200, "out-of-stock": 800}
    assert [each.body for name in ("order", "inventory", "payment") for each in world.letters(sku, name)] == []


@pytest.mark.case(17, needs="machine")
def test_a_thousand_messages_that_came_while_the_store_was_away_are_all_handled_when_it_is_back(world: World) -> None:
    requests = [
        NotificationRequested(
            notification_id=str(uuid.uuid4()),
            order_id=str(uuid.uuid4()),
            customer_id="nobody",
            channel="email",
            template="cancelled",
            values={"order": str(number), "reason": "x"},
        )
        for number in range(1_000)
    ]
    with cut_off(world, "store"):
        world.publish(*[fact(each) for each in requests])
        wait_until(lambda: complaints(world) != [], "a function to notice")
    waiting = {each.notification_id for each in requests}

    def all_handled() -> bool:
        waiting.difference_update([each for each in waiting if world.state("email", each) is not None])
        return not waiting

    wait_until(all_handled, "the backlog to be handled", LONG_S)

    assert {world.state("email", each.notification_id).status for each in requests} == {"undeliverable"}
    ours = {each.order_id for each in requests}
    assert [
        letter
        for letter in world.letters('"template":"cancelled"', "email")
        if decode(letter.body).data["order_id"] in ours
    ] == []
