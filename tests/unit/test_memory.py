"""The ports in memory keep the contracts of the ports: what is proven on them is worth as much as they are."""

from __future__ import annotations

import pytest

from added import CORE
from contracts.dead_letter_contract import LETTER, DeadLetterContract
from contracts.objects_contract import ObjectsContract
from contracts.store_contract import StoreContract
from orderflow.events import FraudCleared, OrderPlaced
from orderflow.ports import Delivery, Objects, Store
from orderflow_local.memory import MemoryBroker, MemoryObjects, MemoryStore
from unit.support import TOPOLOGY, enveloped, order_placed


class TestMemoryStore(StoreContract):
    """The store."""

    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    def test_a_version_never_comes_back(self, store: Store) -> None:
        first = store.insert("orders", "o-1", {"rev": 1})
        store.delete("orders", "o-1", first)
        assert store.insert("orders", "o-1", {"rev": 1}).version != first.version


class TestMemoryObjects(ObjectsContract):
    """The buckets."""

    @pytest.fixture
    def objects(self) -> Objects:
        return MemoryObjects()


class TestMemoryDeadLetters(DeadLetterContract):
    """The dead-letter queues."""

    @pytest.fixture
    def box(self) -> MemoryBroker:
        self.broker = MemoryBroker({"payment": {}, "order": {}})
        return self.broker

    def queued(self, service: str) -> list[Delivery]:
        return list(self.broker.queues[service])

    def test_a_letter_shown_twice_can_be_told_from_the_next(self, box: MemoryBroker) -> None:
        box.send(LETTER)
        box.send(LETTER)
        first, second = box.browse("payment")
        box.remove(first)
        box.send(LETTER)
        assert len({letter.letter_id for letter in box.browse("payment")} | {second.letter_id}) == 2


def test_an_event_reaches_the_queues_whose_filters_it_passes() -> None:
    broker = MemoryBroker.of(TOPOLOGY)
    placed = enveloped(order_placed(tier="high"))
    assert broker.publish([placed, enveloped(FraudCleared(order_id="o-1"), "e-2")]) == [None, None]
    reached = {name: [delivery.body for delivery in broker.queues[name]] for name in CORE}
    assert placed.kind == OrderPlaced.kind()
    assert {name for name, bodies in reached.items() if placed.to_bytes() in bodies} == {
        "inventory",
        "payment",
        "fraud",
        "notification",
        "analytics",
    }
    assert {name for name, bodies in reached.items() if len(bodies) == 2} == {"notification", "analytics"}
    assert len(reached["order"]) == 1


def test_an_ordinary_order_does_not_reach_fraud_screening() -> None:
    broker = MemoryBroker.of(TOPOLOGY)
    broker.publish([enveloped(order_placed(tier="standard"))])
    assert not broker.queues["fraud"]


def test_the_bytes_and_attributes_of_an_event_arrive_as_they_were_published() -> None:
    broker = MemoryBroker.of(TOPOLOGY)
    envelope = enveloped(order_placed(tier="high"))
    broker.publish([envelope])
    delivery = broker.queues["fraud"][0]
    assert delivery.body == envelope.to_bytes()
    assert delivery.attributes == {"kind": "OrderPlaced", "category": "order", "tier": "high"}
