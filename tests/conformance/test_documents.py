"""The store port on a running cloud: one compare-and-set, whatever the concurrency."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.world import World
from orderflow.ports import Conflict, Document, Store, Stored
from waiting import wait_until

ORDERS = "orders"


@pytest.fixture
def key(world: World) -> Iterator[str]:
    """A key of one's own, its document deleted afterwards."""
    name = f"conformance-{uuid.uuid4()}"
    yield name
    stored = world.ports.store.get(ORDERS, name)
    if stored is not None:
        world.ports.store.delete(ORDERS, name, stored)


def document(number: int = 0, **more: object) -> Document:
    return {"rev": number + 1, "state": {"number": number, "name": "Zoë \U0001f600"}, **more}


@pytest.mark.case(10, needs="compare-and-set")
def test_what_is_inserted_is_read_as_it_was_and_cannot_be_inserted_again(world: World, key: str) -> None:
    store = world.ports.store
    assert store.get(ORDERS, key) is None
    stored = store.insert(ORDERS, key, document())
    with pytest.raises(Conflict):
        store.insert(ORDERS, key, document(5))
    assert store.get(ORDERS, key) == stored
    assert stored.document == document()


@pytest.mark.case(10, needs="compare-and-set")
def test_an_old_version_never_wins(world: World, key: str) -> None:
    store = world.ports.store
    first = store.insert(ORDERS, key, document())
    second = store.replace(ORDERS, key, document(1), first)
    for write in (lambda: store.replace(ORDERS, key, document(9), first), lambda: store.delete(ORDERS, key, first)):
        with pytest.raises(Conflict):
            write()
    assert store.get(ORDERS, key) == second
    store.delete(ORDERS, key, second)
    with pytest.raises(Conflict):
        store.replace(ORDERS, key, document(9), second)
    again = store.insert(ORDERS, key, document(1))
    assert again.version not in (first.version, second.version), "a version never comes back"


@pytest.mark.case(10, needs="compare-and-set")
def test_no_increment_is_lost_among_many_writers(world: World, key: str) -> None:
    store = world.ports.store
    store.insert(ORDERS, key, document())

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: _increment(store, key), range(30)))

    stored = store.get(ORDERS, key)
    assert stored is not None
    assert stored.document["state"]["number"] == 30


def _increment(store: Store, key: str) -> Stored:
    while True:
        stored = store.get(ORDERS, key)
        assert stored is not None
        try:
            return store.replace(ORDERS, key, document(stored.document["state"]["number"] + 1), stored)
        except Conflict:
            continue


@pytest.mark.case(10, needs="compare-and-set")
def test_of_many_inserts_of_one_key_exactly_one_wins(world: World, key: str) -> None:
    def insert(number: int) -> int | None:
        try:
            world.ports.store.insert(ORDERS, key, document(number))
        except Conflict:
            return None
        return number

    with ThreadPoolExecutor(6) as pool:
        won = [number for number in pool.map(insert, range(12)) if number is not None]

    stored = world.ports.store.get(ORDERS, key)
    assert stored is not None
    assert won == [stored.document["state"]["number"]]


@pytest.mark.case(10, needs="index")
def test_a_query_lists_a_partition_in_both_directions_and_in_pages(world: World) -> None:
    store, partition = world.ports.store, f"conformance-{uuid.uuid4()}"
    made = [
        (f"{partition}-{number}", document(number, index={"customer": [partition, f"t-{number:03d}"]}))
        for number in (3, 1, 4, 0, 2)
    ]
    for name, content in made:
        store.insert(ORDERS, name, content)

    def numbers(descending: bool, limit: int) -> list[int]:
        found: list[int] = []
        cursor: str | None = None
        while True:
            page = store.query(ORDERS, "customer", partition, descending=descending, limit=limit, cursor=cursor)
            found += [stored.document["state"]["number"] for _, stored in page.items]
            cursor = page.cursor
            if cursor is None:
                return found

    try:
        wait_until(lambda: len(numbers(False, 50)) == 5, "the index")
        assert numbers(False, 2) == [0, 1, 2, 3, 4]
        assert numbers(True, 2) == [4, 3, 2, 1, 0]
        through = store.query(ORDERS, "customer", partition, through="t-002")
        assert [stored.document["state"]["number"] for _, stored in through.items] == [0, 1, 2]
    finally:
        for name, _ in made:
            stored = store.get(ORDERS, name)
            assert stored is not None
            store.delete(ORDERS, name, stored)


@pytest.mark.case(10, needs="compare-and-set")
def test_a_document_of_the_allowed_size_and_every_allowed_key_are_kept(world: World) -> None:
    store = world.ports.store
    names = ["".join(("A.z_0=-9", str(uuid.uuid4()))), f"{uuid.uuid4()}".ljust(250, "k")]
    for name in names:
        stored = store.insert(ORDERS, name, document(text="é" * 120_000))
        assert store.get(ORDERS, name) == stored
        store.delete(ORDERS, name, stored)
        assert store.get(ORDERS, name) is None


@pytest.mark.case(10, needs="time to live")
def test_what_may_expire_says_when_and_is_there_until_then(world: World) -> None:
    """That it goes afterwards is the cloud's own doing, hours or days later: no suite can wait for it."""
    store, name = world.ports.store, f"conformance-{uuid.uuid4()}"
    stored = store.insert("attempts", name, {"rev": 1, "expires_at": int(time.time()) + 86_400})
    assert store.get("attempts", name) == stored
    store.delete("attempts", name, stored)
