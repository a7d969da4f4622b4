"""Every event reaches the archive, whichever way a cloud writes it."""

from __future__ import annotations

import time

import pytest

from conformance.world import World, order, placed
from orderflow import archive
from orderflow.envelope import Envelope
from waiting import wait_until

ORDERS = 10
PATIENCE_S = {"local": 60.0, "deployed": 1200.0}
"""Several times the longest that an event may wait for its batch."""


@pytest.mark.case(9, needs="archive")
def test_every_event_of_some_orders_is_archived_in_far_fewer_objects(world: World, sku: str) -> None:
    began, before = time.time(), set(world.ports.archive.names(archive.PREFIX))
    client = world.customer()
    order_ids = [placed(client, order(sku)) for _ in range(ORDERS)]
    for order_id in order_ids:
        world.ended(client, order_id)
    world.at_rest(order_ids)
    emitted = {event.id: event.digest() for order_id in order_ids for event in world.emitted(order_id)}

    def archived() -> list[Envelope]:
        events = archive.read(world.ports.archive, began - 60, time.time() + 60)
        return [event for event in events if event.id in emitted]

    patience = PATIENCE_S["local" if world.machine else "deployed"]
    wait_until(lambda: len(archived()) == len(emitted), f"all events to be archived on {world.name}", patience)

    assert {event.id: event.digest() for event in archived()} == emitted
    objects = set(world.ports.archive.names(archive.PREFIX)) - before
    assert len(emitted) >= 8 * ORDERS
    assert len(objects) * 5 < len(emitted), objects
