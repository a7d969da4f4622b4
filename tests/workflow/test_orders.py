"""The workflow on each local cloud, through HTTP and the real SDKs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orderflow.envelope import Envelope, canonical
from orderflow.keys import safe_key
from orderflow.record import Record, load
from orderflow.services import SERVICES, find
from orderflow_cli.invariants import check
from waiting import wait_until
from worlds import World

pytestmark = pytest.mark.local_cloud


def order(sku: str, quantity: int = 1, token: str = "tok_visa") -> dict[str, Any]:
    return {"lines": [{"sku": sku, "quantity": quantity}], "payment_token": token}


def placed(client: Any, body: dict[str, Any], key: str | None = None) -> str:
    answer = client.post("/orders", json=body, headers={"idempotency-key": key} if key else {})
    assert answer.status_code == 202, answer.text
    order_id: str = answer.json()["order_id"]
    return order_id


def test_an_order_is_confirmed_and_shipped_and_its_history_says_so(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)

    shown = world.ended(client, placed(client, order(sku, 3)))

    assert [change["status"] for change in shown["history"]] == ["pending", "confirmed", "shipped"]
    assert shown["total"] == 3000
    assert shown["tracking"]


@pytest.mark.parametrize(
    ("token", "quantity", "country", "reason"),
    [
        ("tok_refused", 1, "DE", "payment-failed"),
        ("tok_visa", 11, "DE", "out-of-stock"),
        ("tok_visa", 1, "AQ", "shipment-refused"),
    ],
)
def test_what_was_done_for_a_cancelled_order_is_undone(
    world: World, token: str, quantity: int, country: str, reason: str
) -> None:
    client, sku = world.customer(country), world.stocked(10)

    order_id = placed(client, order(sku, quantity, token))
    shown = world.ended(client, order_id)
    world.at_rest()

    assert (shown["status"], shown["reason"].split(":")[0]) == ("cancelled", reason)
    verdict = check(world.ports, [order_id], {sku: 10})
    assert {name: broken for name, broken in verdict.broken.items() if broken and name != "I6"} == {}


def test_two_hundred_orders_for_the_last_fifty_pieces_ship_exactly_fifty(world: World) -> None:
    client, sku = world.customer(), world.stocked(50)

    with ThreadPoolExecutor(4) as pool:
        order_ids = list(pool.map(lambda number: placed(client, order(sku), f"{sku}-{number}"), range(200)))
    for order_id in order_ids:
        world.ended(client, order_id)
    world.at_rest()

    verdict = check(world.ports, order_ids, {sku: 50})
    assert verdict.outcomes == {"shipped": 50, "out-of-stock": 150}
    assert {name: broken for name, broken in verdict.broken.items() if broken and name != "I6"} == {}
    letters = [letter for name in SERVICES for letter in world.ports.dead_letters.browse(name)]
    assert [letter for letter in letters if any(order_id.encode() in letter.body for order_id in order_ids)] == []


def test_every_event_delivered_again_backwards_changes_nothing(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)
    order_id = placed(client, order(sku))
    world.ended(client, order_id)
    world.at_rest()
    before = documents(world, order_id)

    events = [envelope for record in records(world, order_id).values() for envelope in record.emitted()]
    assert [error for error in world.ports.publisher.publish([*reversed(events), *events]) if error] == []
    duplicates = len([line for line in world.fleet.log_lines(world.name) if line["message"] == "duplicate"])
    wait_until(
        lambda: (
            len([1 for line in world.fleet.log_lines(world.name) if line["message"] == "duplicate"])
            >= duplicates + len(events)
        ),
        "the duplicates to be absorbed",
    )
    world.at_rest()

    assert documents(world, order_id) == before
    assert check(world.ports, [order_id], {sku: 10}).refunds == 0


def test_the_same_key_twice_at_once_is_one_order(world: World) -> None:
    client, sku = world.customer(), world.stocked(10)

    with ThreadPoolExecutor(4) as pool:
        order_ids = set(pool.map(lambda _: placed(client, order(sku), "one-key"), range(8)))

    assert len(order_ids) == 1
    assert client.post("/orders", json=order(sku, 2), headers={"idempotency-key": "one-key"}).status_code == 409


def test_the_same_canonical_events_travel_on_all_clouds(worlds: list[World]) -> None:
    """One customer, one key, one SKU: the events must be the same but for their times, and for the ids of what followed
    from whichever of several events came last."""
    stories = []
    causes: list[dict[str, str | None]] = []
    for world in worlds:
        customer = f"twin-{id(worlds)}"
        client = world.client(customer)
        contact = {"name": "Twin", "address": {"street": "1", "city": "B", "postcode": "1", "country": "DE"}}
        client.put("/customers/me", json={**contact, "email": "twin@example.com"})
        sku = f"TWIN-{id(worlds)}"
        world.ports.drop.put(f"catalogue/{sku}.csv", f"sku,name,unit_price,currency\n{sku},T,700,EUR\n".encode())
        world.ports.drop.put(f"stock/{sku}.csv", f"sku,quantity\n{sku},5\n".encode())
        wait_until(lambda w=world, s=sku: w.loaded(s, 5), "the shelves")  # type: ignore[misc]
        order_id = placed(client, order(sku), "twins")
        world.ended(client, order_id)
        world.at_rest()
        events = emitted(world, order_id)
        stories.append(story(events))
        causes.append({envelope.id: envelope.causationid for envelope in events})
        for envelope in events:
            for digest in absorbed_digests(world, envelope):
                assert digest == envelope.digest(), f"{envelope.kind} changed on its way through {world.name}"

    assert len(stories[0]) >= 8
    assert stories[0] == stories[1] == stories[2]
    for ids in causes:
        assert [cause for cause in ids.values() if cause is None] == [None], "one event began it"
        assert {cause for cause in ids.values() if cause} <= set(ids), "each event was caused by one of the order"


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


def emitted(world: World, order_id: str) -> list[Envelope]:
    return [envelope for record in records(world, order_id).values() for envelope in record.emitted()]


def absorbed_digests(world: World, envelope: Envelope) -> list[str]:
    """What each service that absorbed the event found its digest to be."""
    from orderflow.events import read

    event = read(envelope)
    digests = []
    for name in SERVICES:
        service = find(name)
        if type(event) in service.hears and service.lets_through(envelope.attributes()):
            record = load(service, world.ports.store.get(service.collection, service.key(event, envelope.time)))
            if envelope.id in record.absorbed:
                digests.append(record.absorbed[envelope.id][0])
    assert digests
    return digests


def records(world: World, order_id: str) -> dict[str, Record[Any]]:
    """The documents about one order."""
    names = ("order", "inventory", "payment", "shipping", "fraud", "notification")
    found = {name: load(find(name), world.ports.store.get(find(name).collection, safe_key(order_id))) for name in names}
    return {name: record for name, record in found.items() if record.state is not None}


def documents(world: World, order_id: str) -> dict[str, Any]:
    return {name: record.stored.document for name, record in records(world, order_id).items() if record.stored}
