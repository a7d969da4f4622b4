"""What may happen between a broker and a handler, and must not show: crashes, duplicates, any order, bad neighbours."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import pytest

from conformance.world import World, fact, order, order_placed, placed
from orderflow.app import App
from orderflow.events import PaymentCompleted
from orderflow.ports import Delivery
from orderflow.processing import Done
from orderflow.services import SERVICES, find
from orderflow.settings import Settings
from waiting import wait_until


@pytest.mark.case(3, needs="machine")
@pytest.mark.parametrize("how", ["killed", "asked to stop"])
def test_handlers_that_die_at_any_moment_lose_nothing_and_double_nothing(world: World, sku: str, how: str) -> None:
    """Every host is ended again and again while orders are under way; 18 is the polite way of it."""
    assert world.machine is not None
    client = world.customer()
    order_ids = []
    for number in range(6):
        order_ids.append(placed(client, order(sku, token="tok_lost" if number % 3 == 0 else "tok_visa")))
        for host in world.machine.cloud.hosts():
            if "api" in host.name or host.name == "http":
                continue  # the client would have to ask again
            if how == "killed":
                world.machine.cloud.kill_host(host.name)
            else:
                with suppress(ProcessLookupError):
                    os.kill(host.pid, signal.SIGTERM)
    outcomes = [world.ended(client, order_id)["status"] for order_id in order_ids]

    verdict = world.at_rest(order_ids, crashes=True)

    assert outcomes == ["shipped"] * 6
    assert verdict.sent_again <= len(order_ids)
    for order_id in order_ids:
        assert world.letters(order_id) == []


@pytest.mark.case(4, needs="idempotent publish")
def test_a_duplicate_in_the_same_batch_and_much_later_has_no_further_effect(world: World) -> None:
    sku = world.stocked(5)
    [event] = world.unpublished(sku, 2)
    order_id = event.subject
    world.publish(*[event] * 5)
    wait_until(lambda: world.closed(order_id), "the order to end")
    world.at_rest([order_id], {sku: 5})
    before = documents(world, order_id)

    world.publish(*[event] * 3)
    world.at_rest([order_id], {sku: 5})

    assert documents(world, order_id) == before
    charges = world.ports.store.get("gateway", order_id)
    assert charges is not None
    assert len(charges.document["entries"]) == 1


@pytest.mark.case(4, needs="idempotent publish")
def test_every_event_of_an_order_delivered_again_backwards_changes_nothing(world: World, sku: str) -> None:
    client = world.customer()
    order_id = placed(client, order(sku))
    world.ended(client, order_id)
    world.at_rest([order_id])
    before = documents(world, order_id)

    events = world.emitted(order_id)
    world.publish(*reversed(events), *events)
    world.at_rest([order_id])

    assert documents(world, order_id) == before


@pytest.mark.case(5, needs="saga")
def test_a_cancellation_that_comes_before_the_order_leaves_nothing_behind(world: World) -> None:
    """The tombstone: who hears of the order after its cancellation neither reserves nor charges."""
    sku = world.stocked(5)
    late, *_, cancelled = world.unpublished(sku, 2, cancelled=True)
    order_id = late.subject
    world.publish(cancelled)
    wait_until(lambda: world.closed(order_id), "the cancellation to be answered")

    world.publish(late)
    for service in ("payment", "inventory"):
        wait_until(lambda name=service: late.id in world.records(order_id)[name].absorbed, service)  # type: ignore[misc]
    world.at_rest([order_id], {sku: 5})

    assert world.state("inventory", order_id).status == "released"
    assert world.state("payment", order_id).status == "void"
    assert world.ports.store.get("gateway", order_id) is None


@pytest.mark.case(5, needs="saga")
def test_a_join_waits_for_its_events_in_whatever_order_they_come(world: World, sku: str) -> None:
    """Shipping hears of a payment before the order was even published, as happens when another queue is slow."""
    [event] = world.unpublished(sku)
    order_id = event.subject
    paid = PaymentCompleted(
        order_id=order_id, customer_id=event.data["customer_id"], charge_id="early", amount=1000, currency="EUR"
    )
    world.deliver("shipping", fact(paid).to_bytes(), fact(paid).attributes())
    wait_until(lambda: world.state("shipping", order_id) is not None, "the early payment")
    assert world.state("shipping", order_id).status == "waiting"

    world.publish(event)

    wait_until(lambda: world.closed(order_id), "the order to end")
    assert world.state("order", order_id).status == "shipped"
    assert len(world.ports.store.get("carrier", order_id).document["entries"]) == 1  # type: ignore[union-attr]


@pytest.mark.case(6, needs="partial batch failure")
def test_one_bad_message_fails_alone(world: World, sku: str) -> None:
    """Nine good messages and a bad one published together: the good ones are handled once, the bad one is aside."""
    good = [world.unpublished(sku)[0] for _ in range(9)]
    bad = fact(order_placed(sku)).replace(data={"order_id": "poison", "lines": "none"})
    world.publish(*good[:5], bad, *good[5:])

    letter = world.letter(bad.id, "payment")
    order_ids = [event.subject for event in good]
    wait_until(lambda: all(world.closed(order_id) for order_id in order_ids), "the good ones")
    verdict = world.at_rest(order_ids)

    assert letter.reason == "malformed"
    assert verdict.outcomes == {"shipped": 9}
    assert [order_id for order_id in order_ids if world.letters(order_id)] == []


@pytest.mark.case(20, needs="idempotent publish")
def test_another_payload_under_a_known_id_is_refused_and_reported(world: World, sku: str) -> None:
    [first] = world.unpublished(sku)
    world.publish(first)
    wait_until(lambda: world.closed(first.subject), "the order to end")
    before = world.state("payment", first.subject)

    world.publish(first.replace(data={**first.data, "total": 1}))

    assert world.letter(first.id, "payment").reason == "id-reused"
    assert world.state("payment", first.subject) == before


@pytest.mark.case(20, needs="machine")
def test_a_message_is_known_by_its_event_whatever_the_transport_calls_it(world: World, sku: str) -> None:
    [event] = world.unpublished(sku)
    world.publish(event)
    wait_until(lambda: world.closed(event.subject), "the order to end")

    world.deliver("payment", event.to_bytes(), event.attributes())
    wait_until(lambda: payments(world, "duplicate", event.id) != [], "the duplicate")

    [handled] = payments(world, "handled", event.id)
    [duplicate, *_] = payments(world, "duplicate", event.id)
    assert handled["transport_id"] != duplicate["transport_id"]


@pytest.mark.case(21, needs="deadline guard")
def test_a_batch_stops_at_its_deadline_and_what_is_given_back_is_done_once(world: World, sku: str) -> None:
    """The cloud's own documents and providers; only the clock's end is chosen here."""
    events = [world.unpublished(sku)[0] for _ in range(4)]
    app = App(world.ports, Settings())
    deliveries = [Delivery(event.to_bytes(), event.attributes()) for event in events]

    with world.broken("gateway", "slow"):
        outcomes = app.consume("payment", deliveries, deadline=time.time() + 1.0)

    done = [event for event, outcome in zip(events, outcomes, strict=True) if isinstance(outcome, Done)]
    given_back = [event for event in events if event not in done]
    assert given_back, "four slow calls do not fit into a second"
    world.publish(*given_back)  # What was done says so again; what was not begun begins.
    order_ids = [event.subject for event in events]
    wait_until(lambda: all(world.closed(order_id) for order_id in order_ids), "the orders to end")
    verdict = world.at_rest(order_ids)
    assert verdict.outcomes == {"shipped": 4}


def payments(world: World, message: str, event_id: str) -> list[dict[str, Any]]:
    return [line for line in world.log(message, event_id) if line["service"] == "payment"]


def documents(world: World, order_id: str) -> dict[str, Any]:
    """What every service holds about an order, word for word."""
    found = {name: record.stored for name, record in world.records(order_id).items()}
    assert set(found) <= set(SERVICES)
    assert find("order").collection == "orders"
    return {name: stored.document for name, stored in found.items() if stored}
