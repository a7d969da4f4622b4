"""The store port on Azure Tables, answered by Azurite."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from contracts.store_contract import StoreContract
from orderflow.ports import Conflict, Unavailable
from orderflow_azure import store as module
from orderflow_azure.sdk import Clients
from orderflow_azure.store import TablesStore, table_name

pytestmark = pytest.mark.local_cloud


class TestTablesStore(StoreContract):
    """The contract of the store port."""


def order(number: int, customer: str = "c-1", sort: str | None = None, **more: Any) -> dict[str, Any]:
    index = {"customer": [customer, sort or f"t-{number:03d}"]}
    return {"rev": 1, "state": {"number": number}, "index": index, **more}


def keys(store: TablesStore, partition: str = "c-1", **options: Any) -> list[str]:
    """All pages of a list, as keys."""
    found: list[str] = []
    cursor = None
    while True:
        page = store.query("orders", "customer", partition, cursor=cursor, **options)
        found += [key for key, _ in page.items]
        if (cursor := page.cursor) is None:
            return found


def rows(store: TablesStore) -> int:
    """How many index entities there are."""
    return sum(entity["RowKey"] != "document" for entity in store._table("orders").list_entities())


def test_insert_then_get_gives_the_document_back(store: TablesStore) -> None:
    document = {"rev": 1, "state": {"name": "Zo\u00eb \U0001f600", "total": 9_007_199_254_740_993, "none": None}}
    stored = store.insert("orders", "o-1", document)
    assert store.get("orders", "o-1") == stored
    assert stored.document == document


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f600"])
def test_a_document_of_200_kilobytes_is_kept_whole(store: TablesStore, character: str) -> None:
    document = {"rev": 1, "state": {"text": character * (200_000 // len(character.encode()))}}
    store.insert("orders", "o-1", document)
    found = store.get("orders", "o-1")
    assert found is not None and found.document == document


def test_a_shorter_document_leaves_nothing_of_the_longer(store: TablesStore) -> None:
    long = store.insert("orders", "o-1", {"rev": 1, "state": {"text": "x" * 100_000}})
    store.replace("orders", "o-1", {"rev": 2, "state": {"text": "y"}}, long)
    found = store.get("orders", "o-1")
    assert found is not None and found.document == {"rev": 2, "state": {"text": "y"}}


def test_get_of_nothing_is_none(store: TablesStore) -> None:
    assert store.get("orders", "o-1") is None


def test_insert_of_an_existing_key_conflicts_and_writes_nothing(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    with pytest.raises(Conflict):
        store.insert("orders", "o-1", order(2))
    assert store.get("orders", "o-1") == first


def test_replace_compares_the_version(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", order(2), first)
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(3), first)
    assert store.get("orders", "o-1") == second


def test_replace_and_delete_of_nothing_conflict(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    store.delete("orders", "o-1", first)
    assert store.get("orders", "o-1") is None
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(2), first)
    with pytest.raises(Conflict):
        store.delete("orders", "o-1", first)


def test_delete_compares_the_version(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", order(2), first)
    with pytest.raises(Conflict):
        store.delete("orders", "o-1", first)
    assert store.get("orders", "o-1") == second


def test_a_version_never_comes_back(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    store.delete("orders", "o-1", first)
    again = store.insert("orders", "o-1", order(1))
    assert again.version != first.version
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(2), first)


def test_a_list_is_sorted_both_ways_and_a_value_comes_before_one_that_it_begins(store: TablesStore) -> None:
    sorts = ["a", "a-", "a.", "a0", "a=", "aA", "aZ", "a_", "aa", "ab", "b"]
    for number, sort in enumerate(reversed(sorts)):
        store.insert("orders", f"o-{number}", order(number, sort=sort))
    upwards = keys(store)
    assert [store_sort(store, key) for key in upwards] == sorts == sorted(sorts)
    assert keys(store, descending=True) == upwards[::-1]


def store_sort(store: TablesStore, key: str) -> str:
    found = store.get("orders", key)
    assert found is not None
    sort: str = found.document["index"]["customer"][1]
    return sort


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 3, 7, 50])
def test_pages_cover_a_list_once(store: TablesStore, descending: bool, limit: int) -> None:
    for number in range(7):
        store.insert("orders", f"o-{number}", order(number, sort=f"t-{number // 2}"))
    store.insert("orders", "other", order(9, customer="c-2"))
    expected = [f"o-{number}" for number in range(7)]
    assert keys(store, descending=descending, limit=limit) == (expected[::-1] if descending else expected)


@pytest.mark.parametrize("descending", [False, True])
def test_through_ends_the_list_after_the_last_value_not_greater(store: TablesStore, descending: bool) -> None:
    sorts = ["10", "20", "200", "3"]
    for sort in sorts:
        store.insert("orders", f"o-{sort}", order(1, sort=sort))
    expected = ["o-10", "o-20"]
    assert keys(store, through="20", descending=descending) == (expected[::-1] if descending else expected)
    assert keys(store, through="2", limit=1, descending=descending) == ["o-10"]
    assert keys(store, through="0", descending=descending) == []


def test_a_list_shows_documents_as_they_are_now(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", order(2, sort="t-001"), first)
    assert store.query("orders", "customer", "c-1").items == (("o-1", second),)


def test_a_changed_entry_is_listed_in_its_new_place_only(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    store.replace("orders", "o-1", order(1, customer="c-2"), first)
    assert keys(store) == []
    assert keys(store, "c-2") == ["o-1"]
    assert rows(store) == 2


def test_a_dropped_or_deleted_entry_leaves_nothing_behind(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", {"rev": 2, "state": {}}, first)
    assert keys(store) == [] and rows(store) == 0
    third = store.replace("orders", "o-1", order(3), second)
    assert keys(store) == ["o-1"]
    store.delete("orders", "o-1", third)
    assert keys(store) == [] and rows(store) == 0


def test_an_entry_of_a_lost_write_is_not_listed(store: TablesStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    store.replace("orders", "o-1", order(1, rev=2), first)
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(1, customer="c-2"), first)
    with pytest.raises(Conflict):
        store.insert("orders", "o-1", order(1, customer="c-3"))
    assert keys(store, "c-2") == keys(store, "c-3") == []


def test_a_write_that_crashed_after_its_entry_is_not_listed(
    store: TablesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store._table("orders"), "create_entity", crash)
        store.insert("orders", "o-1", order(1))
    assert keys(store) == [] and rows(store) == 2
    store.insert("orders", "o-1", order(1))
    assert keys(store) == ["o-1"] and rows(store) == 2


def test_what_a_crash_left_behind_is_removed_when_it_is_old(
    store: TablesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store._write_rows(store._table("orders"), module._rows("o-1", order(1)))
    assert keys(store) == [] and rows(store) == 2
    monkeypatch.setattr(module, "_LEFT_BEHIND", timedelta(0))
    assert keys(store) == [] and rows(store) == 1
    assert keys(store, descending=True) == [] and rows(store) == 0


def test_removing_late_spares_an_entry_that_was_written_again(
    store: TablesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow writer commits without the entry, another one brings the entry back, then the slow one cleans up."""
    first = store.insert("orders", "o-1", order(1))
    late: list[Mapping[Any, str]] = []
    with monkeypatch.context() as patch:
        patch.setattr(store, "_remove_rows", lambda table, tags: late.append(tags))
        second = store.replace("orders", "o-1", {"rev": 2, "state": {}}, first)
    store.replace("orders", "o-1", order(3), second)
    store._remove_rows(store._table("orders"), dict(late[0]))
    assert keys(store) == keys(store, descending=True) == ["o-1"]


def test_writers_that_compare_lose_no_increment(store: TablesStore) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store.insert("orders", "o-1", {"rev": 0, "state": {}})

    def increment(_: int) -> None:
        while True:
            found = store.get("orders", "o-1")
            assert found is not None
            try:
                store.replace("orders", "o-1", {"rev": found.document["rev"] + 1, "state": {}}, found)
                return
            except Conflict:
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(20)))
    found = store.get("orders", "o-1")
    assert found is not None and found.document["rev"] == 20


def test_keys_of_full_length_are_kept(store: TablesStore) -> None:
    key, sort = "k" * 250, "s" * 250
    store.insert("orders", key, order(1, sort=sort))
    assert keys(store) == keys(store, descending=True) == [key]


def test_the_time_to_expire_is_a_property(store: TablesStore) -> None:
    store.insert("attempts", "a-1", {"rev": 1, "state": {}, "expires_at": 1_800_000_000})
    entity = store._table("attempts").get_entity("a-1", "document")
    assert entity["expires_at"].timestamp() == 1_800_000_000


def test_a_missing_table_is_unavailable_and_no_conflict(store: TablesStore, clients: Clients) -> None:
    lost = TablesStore(clients, f"n{secrets.token_hex(4)}")
    stored = store.insert("orders", "o-1", {"rev": 1})
    for call in (
        lambda: lost.get("orders", "o-1"),
        lambda: lost.insert("orders", "o-1", {"rev": 1}),
        lambda: lost.replace("orders", "o-1", {"rev": 1}, stored),
        lambda: lost.query("orders", "customer", "c-1"),
    ):
        with pytest.raises(Unavailable):
            call()


def test_no_answer_is_unavailable(environ: Mapping[str, str]) -> None:
    from orderflow_local.processes import free_port

    nowhere = f"TableEndpoint=http://127.0.0.1:{free_port()}/orderflow;"
    connection = environ["ORDERFLOW_STORAGE"].split("BlobEndpoint")[0] + nowhere
    store = TablesStore(Clients({"ORDERFLOW_STORAGE": connection}), "orderflow")
    with pytest.raises(Unavailable):
        store.insert("orders", "o-1", {"rev": 1})


def test_table_names_are_letters_and_digits() -> None:
    assert table_name("my-shop_2", "orders") == "myshop2orders"
