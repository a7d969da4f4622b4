"""The store on Firestore keeps its contract, on Google's emulator and on the stand-in alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from google.cloud import firestore

from contracts.store_contract import StoreContract, order
from gcp.conftest import PROJECT, Brokers
from orderflow.ports import Conflict, Store, Unavailable
from orderflow_gcp.store import FirestoreStore
from orderflow_local.processes import free_port

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def store(emulated: Brokers, prefix: str) -> Store:
    return FirestoreStore(PROJECT, "(default)", prefix)


class TestFirestoreStore(StoreContract):
    """The contract of the store port."""

    @pytest.fixture
    def store(self, emulated: Brokers, prefix: str) -> Store:
        return FirestoreStore(PROJECT, "(default)", prefix)


@pytest.mark.parametrize("key", [".", "..", "__name__", "_", "=", "==", "a/b".replace("/", "=2F")])
def test_keys_that_firestore_would_refuse_come_back_as_they_were(store: Store, key: str) -> None:
    store.insert("orders", key, order(1))
    page = store.query("orders", "customer", "c-1")
    assert [found for found, _ in page.items] == [key]
    assert store.get("orders", key) == page.items[0][1]


def test_no_increment_is_lost_among_concurrent_writers(store: Store) -> None:
    store.insert("stock", "A-1", {"rev": 0})

    def increment(_: int) -> int:
        lost = 0
        while True:
            stored = store.get("stock", "A-1")
            assert stored is not None
            try:
                store.replace("stock", "A-1", {"rev": stored.document["rev"] + 1}, stored)
                return lost
            except Conflict:
                lost += 1

    with ThreadPoolExecutor(6) as writers:
        conflicts = sum(writers.map(increment, range(48)))
    stored = store.get("stock", "A-1")
    assert stored is not None
    assert stored.document["rev"] == 48
    assert conflicts > 0


def test_expiry_is_a_timestamp_for_the_ttl_policy_and_goes_with_it(
    store: Store, emulated: Brokers, prefix: str
) -> None:
    first = store.insert("attempts", "a", {"rev": 1, "expires_at": 1_900_000_000})
    attempts = firestore.Client(project=PROJECT).collection(f"{prefix}-attempts")
    [stored] = attempts.get()
    assert stored.get("expires_at") == datetime.fromtimestamp(1_900_000_000, UTC)
    store.replace("attempts", "a", {"rev": 2}, first)
    [stored] = attempts.get()
    assert set(stored.to_dict() or {}) == {"document"}


@pytest.mark.parametrize(
    "cursor", ['["t-001"]', '["t-001", "a/b"]', '["t-001", ""]', '["\\ud800", "a"]', '[["a"], "b"]']
)
def test_a_cursor_that_names_no_document_is_a_value_error(store: Store, cursor: str) -> None:
    with pytest.raises(ValueError):
        store.query("orders", "customer", "c-1", cursor=cursor)


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr("orderflow_gcp.store._TIMEOUT_SECONDS", 0.5)
    store = FirestoreStore(PROJECT, "(default)", "nobody")
    with pytest.raises(Unavailable):
        store.insert("orders", "o-1", {"rev": 1})
    with pytest.raises(Unavailable):
        store.get("orders", "o-1")
