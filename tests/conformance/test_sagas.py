"""Every way that an order can end, on every cloud, and what is left behind: nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from conformance.in_process import memory_story
from conformance.world import CONTACT, World, order, placed
from orderflow.envelope import Envelope, canonical
from waiting import wait_until


@pytest.mark.case(12, needs="saga")
def test_an_order_is_confirmed_and_shipped_and_its_history_says_so(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)

    order_id = placed(client, order(sku, quantity=3))
    shown = world.ended(client, order_id)
    world.at_rest([order_id], {sku: 10})

    assert [change["status"] for change in shown["history"]] == ["pending", "confirmed", "shipped"]
    assert shown["total"] == 3000
    assert shown["tracking"]


@pytest.mark.case(12, needs="saga")
@pytest.mark.parametrize(
    ("token", "quantity", "price", "country", "reason"),
    [
        pytest.param("tok_refused", 1, 1000, "DE", "payment-failed", id="card refused"),
        pytest.param("tok_visa", 11, 1000, "DE", "out-of-stock", id="out of stock"),
        pytest.param("tok_visa", 1, 1000, "AQ", "shipment-refused", id="carrier refuses"),
        pytest.param("tok_lost", 1, 1000, "AQ", "shipment-refused", id="carrier refuses after a lost charge"),
        pytest.param("tok_visa", 1, 2_000_000, "DE", "fraud-suspected", id="fraud suspected"),
    ],
)
def test_what_was_done_for_a_cancelled_order_is_undone(
    world: World, token: str, quantity: int, price: int, country: str, reason: str
) -> None:
    client, sku = world.customer(country), world.stocked(10, price)
    with ExitStack() as stack:
        if reason == "fraud-suspected":  # A suspicion after the confirmation would only raise an alarm.
            stack.enter_context(world.broken("gateway", "down"))
        order_id = placed(client, order(sku, quantity=quantity, token=token))
        if reason == "fraud-suspected":
            wait_until(lambda: client.get(f"/orders/{order_id}").json()["status"] == "cancelled", "the screening")
    shown = world.ended(client, order_id)

    verdict = world.at_rest([order_id], {sku: 10})

    assert (shown["status"], shown["reason"].split(":")[0]) == ("cancelled", reason)
    assert verdict.refunds == 1 if reason == "shipment-refused" else verdict.refunds <= 1


@pytest.mark.case(12, needs="saga")
def test_a_customer_may_cancel_until_it_is_shipped_and_everything_is_undone(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)
    with world.broken("gateway", "down"):
        order_id = placed(client, order(sku))
        wait_until(lambda: world.state("inventory", order_id) is not None, "the reservation")
        assert client.post(f"/orders/{order_id}/cancel").status_code == 202
    shown = world.ended(client, order_id)

    world.at_rest([order_id], {sku: 10})

    assert (shown["status"], shown["reason"].split(":")[0]) == ("cancelled", "customer")
    assert client.post(f"/orders/{order_id}/cancel").status_code == 202, "asking twice is asking once"


@pytest.mark.case(12, needs="saga")
def test_an_order_past_its_deadline_is_cancelled_by_the_sweeper(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)
    with world.broken("gateway", "down"):
        order_id = placed(client, order(sku))
        wait_until(lambda: world.state("inventory", order_id) is not None, "the reservation")
        world.rewind(order_id, expires_at=1.0, due_at=1.0)
        wait_until(lambda: client.get(f"/orders/{order_id}").json()["status"] == "cancelled", "the sweeper")
    shown = world.ended(client, order_id)

    world.at_rest([order_id], {sku: 10})

    assert shown["reason"].startswith("deadline")


@pytest.mark.case(12, needs="saga")
def test_an_order_of_many_lines_ships_whole_or_not_at_all(world: World) -> None:
    """Two lines are there, the third is short: the first two are given back."""
    client = world.customer()
    skus = [world.stocked(5), world.stocked(5), world.stocked(1)]
    body = {"lines": [{"sku": sku, "quantity": 2} for sku in skus], "payment_token": "tok_visa"}

    order_id = placed(client, body)
    shown = world.ended(client, order_id)

    world.at_rest([order_id], {skus[0]: 5, skus[1]: 5, skus[2]: 1})
    assert shown["reason"].startswith("out-of-stock")


@pytest.mark.case(13, needs="compare-and-set")
def test_two_hundred_orders_for_the_last_fifty_pieces_ship_exactly_fifty(world: World) -> None:
    client, sku = world.customer(), world.stocked(50)

    with ThreadPoolExecutor(4) as pool:
        order_ids = list(pool.map(lambda number: placed(client, order(sku), f"{sku}-{number}"), range(200)))
    for order_id in order_ids:
        world.ended(client, order_id)
    verdict = world.at_rest(order_ids, {sku: 50})

    assert verdict.outcomes == {"shipped": 50, "out-of-stock": 150}
    assert [each.body for name in ("order", "inventory", "payment") for each in world.letters(sku, name)] == []


@pytest.mark.case(14, needs="saga")
def test_every_event_of_an_order_tells_what_it_belongs_to_and_what_caused_it(world: World, sku: str) -> None:
    client = world.customer()
    order_id = placed(client, order(sku))
    world.ended(client, order_id)
    world.at_rest([order_id])
    events = world.emitted(order_id)

    ids = {each.id for each in events}
    assert len(events) >= 8
    assert {each.correlationid for each in events} == {order_id}
    assert [each.kind for each in events if each.causationid is None] == ["OrderPlaced"]
    assert {each.causationid for each in events if each.causationid} <= ids
    assert len({str(each.traceparent).split("-")[1] for each in events}) == 1, "one trace"
    assert len({str(each.traceparent).split("-")[2] for each in events}) == len(events), "a span each"


@pytest.mark.case(25, needs="saga")
def test_no_chain_of_events_is_longer_than_lambda_lets_a_chain_be(world: World, sku: str) -> None:
    """AWS stops a chain of about 16 invocations through SNS and SQS
    (docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html); the longest real one must be well below."""
    client = world.customer("AQ")
    order_id = placed(client, order(sku))
    world.ended(client, order_id)
    world.at_rest([order_id])

    causes = {each.id: each.causationid for each in world.emitted(order_id)}
    assert max(len(list(_chain(causes, event_id))) for event_id in causes) <= 10


def _chain(causes: dict[str, str | None], event_id: str | None) -> list[str]:
    chain = []
    while event_id:
        chain.append(event_id)
        event_id = causes.get(event_id)
    return chain


@pytest.mark.case(14, needs="saga")
def test_the_same_canonical_events_travel_on_every_cloud(world: World) -> None:
    """One customer, one key, one SKU, on this cloud and in memory: the events must be the same but for their times,
    and for the ids of what followed from whichever of several events came last."""
    customer, sku = "twin", "TWIN-1"
    client = world.customer(customer=customer)
    world.stocked(5, 700, sku)
    order_id = placed(client, order(sku), "twins")
    world.ended(client, order_id)
    world.at_rest([order_id])

    events = story(world.emitted(order_id))
    requests = [("PUT", "/customers/me", CONTACT), ("POST", "/orders", order(sku))]

    assert len(events) >= 8
    assert events == story(memory_story(requests, customer, sku, "twins"))


def story(events: list[Envelope]) -> list[str]:
    """The canonical events in an order of their own, each id replaced by what it is the id of."""
    names = {envelope.id: f"{envelope.kind} {envelope.channel or ''}" for envelope in events}
    for envelope in events:
        if "notification_id" in envelope.data:
            names[envelope.data["notification_id"]] = f"{envelope.data['template']} {envelope.channel}"
    texts = []
    for envelope in events:
        content = envelope.to_dict()
        for varying in ("time", "causationid", "traceparent"):
            content.pop(varying, None)
        content["data"].pop("placed_at", None)
        text = canonical(content).decode()
        for one, name in names.items():
            text = text.replace(one, name)
        texts.append(text)
    return sorted(texts)
