"""The runbook of a restore (docs/runbooks/restore.md): the store is put back to an earlier time while brokers, archive,
gateway and carrier are where they were. Nobody is charged, refunded or shipped to twice."""

from __future__ import annotations

import pytest

from cli.desk import archive_all, desk
from orderflow.services import SERVICES
from orderflow_cli.invariants import Verdict, check
from orderflow_cli.ops import letters, orders
from orderflow_cli.ops.replays import Range, replay_to
from orderflow_local.memory import MemoryStore
from unit.support import Lab

BOOKS = ("gateway", "carrier", "messages")
"""The books of the outside world: no restore of ours takes them back."""
ORDERS = ("shipped", "midway", "cancelled", "after")
STOCKED = {"CUP": 100}


def step(lab: Lab, *services: str) -> None:
    """Deliver what waits for some services now."""
    for service in services:
        waiting = list(lab.broker.queues[service])
        lab.broker.queues[service].clear()
        for delivery in waiting:
            lab.deliver(service, delivery)


def restored(lab: Lab, before: MemoryStore) -> None:
    """Put the store back to what it was, but not the outside world."""
    for collection, key in list(lab.store._documents):
        if collection not in BOOKS:
            del lab.store._documents[collection, key]
    kept = {name: entry for name, entry in before._documents.items() if name[0] not in BOOKS}
    lab.store._documents.update(kept)


@pytest.fixture
def lab() -> Lab:
    """Three orders of which one is shipped, one is paid, and one has only been placed; then all goes on, a fourth is
    placed, the third is cancelled, and the store is put back to before that."""
    lab = Lab.make()
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("shipped")
    lab.run_to_rest()
    lab.place("midway")
    step(lab, "payment", "inventory")
    lab.place("cancelled")
    before = MemoryStore()
    before._documents, before._writes = dict(lab.store._documents), lab.store._writes
    lab.clock.time += 10
    orders.cancel_order(desk(lab), "cancelled", "changed my mind")
    lab.place("after")
    lab.run_to_rest()
    archive_all(lab)
    assert verdict(lab).holds
    restored(lab, before)
    lab.clock.time += 600
    return lab


def verdict(lab: Lab) -> Verdict:
    return check(lab.ports, ORDERS, STOCKED, crashes=True)


def replay_all(lab: Lab) -> None:
    since = lab.clock.now() - 3600
    for service in SERVICES:
        replay_to(desk(lab), service, Range(since, lab.clock.now()))


def runbook(lab: Lab) -> None:
    """What the runbook tells to do."""
    orders.cancel_order(desk(lab), "cancelled", "changed my mind")
    lab.place("after")  # The customer's client sends the request again, with the key that it had.
    lab.run_to_rest()
    replay_all(lab)
    lab.run_to_rest()


def test_after_a_restore_every_order_ends_charged_and_shipped_as_before(lab: Lab) -> None:
    charged = {order_id: lab.entries("gateway", order_id) for order_id in ORDERS}
    shipped = {order_id: lab.entries("carrier", order_id) for order_id in ORDERS}

    runbook(lab)

    broken = verdict(lab).broken
    assert {name for name, what in broken.items() if what} <= {"I6"}
    assert {order_id: lab.state("order", order_id).status for order_id in ORDERS} == {
        "shipped": "shipped",
        "midway": "shipped",
        "cancelled": "cancelled",
        "after": "shipped",
    }
    assert {order_id: lab.entries("gateway", order_id) for order_id in ORDERS} == charged
    assert {order_id: lab.entries("carrier", order_id) for order_id in ORDERS} == shipped


def test_what_was_told_twice_with_other_words_stands_in_the_dead_letters_and_can_be_discarded(lab: Lab) -> None:
    runbook(lab)
    found = letters.look(desk(lab), letters.Choice())

    assert {letter.reason for letter in found} == {"id-reused"}
    handled = list(letters.handle(desk(lab), "discard", found))
    assert [each.left for each in handled if each.left] == []
    assert verdict(lab).holds


def test_without_the_replay_an_order_that_was_under_way_stands_still(lab: Lab) -> None:
    lab.run_to_rest()

    assert lab.state("order", "midway").status == "pending"
