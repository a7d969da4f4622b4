"""What `orderflow.ports.Store` promises, sentence by sentence, for any store. A test class that inherits from
`StoreContract` and gives a ``store`` fixture holds its store to all of it:

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self) -> Store: ...

The store must know the collection ``orders`` with the indexes ``customer`` and ``due``. ``settled`` may be overridden
where an index lags behind."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest

from orderflow.ports import Conflict, Document, Page, Store, Stored

ORDERS = "orders"

_JSON = ["5", "{}", "[]", "[1,2]", '["a"]', "null", '["", ""]', '[["a"], "b"]']
MADE_UP = ["", "x", "zz", "\x00", "a\x00", "dö", *_JSON, *(urlsafe_b64encode(text.encode()).decode() for text in _JSON)]
"""What no page gave as a cursor: nonsense, JSON of another shape, and the same in base64."""


def order(number: int = 1, customer: str = "c-1", rev: int = 1, **more: Any) -> Document:
    """A document with an index entry that sorts by number."""
    return {"rev": rev, "state": {"number": number}, "index": {"customer": [customer, f"t-{number:03d}"]}, **more}


def numbers(page: Page) -> list[int]:
    """The documents of a page by their numbers."""
    return [stored.document["state"]["number"] for _, stored in page.items]


class StoreContract:
    """The contract of the store port."""

    def settled(self, store: Store, ask: Callable[[], Page], expected: list[int]) -> Page:
        """A query's answer once the index has caught up: at once, unless a store is known to lag."""
        return ask()

    def expect(self, store: Store, expected: list[int], **options: Any) -> Page:
        """Query customer c-1 and expect these numbers, in this order."""
        page = self.settled(store, lambda: store.query(ORDERS, "customer", "c-1", **options), expected)
        assert numbers(page) == expected
        return page

    def test_nothing_is_read_where_nothing_was_written(self, store: Store) -> None:
        assert store.get(ORDERS, "o-1") is None

    def test_what_was_inserted_is_read_as_it_was(self, store: Store) -> None:
        document = {
            "rev": 1,
            "state": {
                "name": "Zoë \U0001f600 \u2028",
                "empty": "",
                "total": 10**15,
                "none": None,
                "list": [[], {}, [1]],
            },
            "a.b$c": {"": True},
        }
        stored = store.insert(ORDERS, "o-1", document)
        assert stored.document == document
        assert store.get(ORDERS, "o-1") == stored

    def test_an_insert_over_something_conflicts_and_changes_nothing(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        with pytest.raises(Conflict):
            store.insert(ORDERS, "o-1", order(2))
        assert store.get(ORDERS, "o-1") == first

    def test_a_replace_changes_document_and_version(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        second = store.replace(ORDERS, "o-1", order(2, rev=2), first)
        assert second.version != first.version
        assert store.get(ORDERS, "o-1") == second
        assert second.document == order(2, rev=2)

    def test_a_replace_of_an_older_version_conflicts_and_changes_nothing(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        second = store.replace(ORDERS, "o-1", order(2, rev=2), first)
        with pytest.raises(Conflict):
            store.replace(ORDERS, "o-1", order(3, rev=3), first)
        assert store.get(ORDERS, "o-1") == second

    def test_of_two_replaces_of_one_version_the_first_wins(self, store: Store) -> None:
        store.insert(ORDERS, "o-1", order(1))
        mine, yours = store.get(ORDERS, "o-1"), store.get(ORDERS, "o-1")
        assert mine is not None
        assert yours is not None
        store.replace(ORDERS, "o-1", order(2, rev=2), mine)
        with pytest.raises(Conflict):
            store.replace(ORDERS, "o-1", order(3, rev=2), yours)

    def test_the_same_content_again_is_another_version(self, store: Store) -> None:
        """As long as ``rev`` changes, which every writer of ours sees to."""
        first = store.insert(ORDERS, "o-1", order(1))
        store.replace(ORDERS, "o-1", order(1, rev=2), first)
        with pytest.raises(Conflict):
            store.replace(ORDERS, "o-1", order(1, rev=3), first)

    def test_a_replace_of_something_deleted_conflicts(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        store.delete(ORDERS, "o-1", first)
        with pytest.raises(Conflict):
            store.replace(ORDERS, "o-1", order(2, rev=2), first)
        assert store.get(ORDERS, "o-1") is None

    def test_what_was_answered_can_be_replaced_without_reading_it(self, store: Store) -> None:
        stored = store.insert(ORDERS, "o-1", order(1))
        for rev in range(2, 5):
            stored = store.replace(ORDERS, "o-1", order(rev, rev=rev), stored)
        assert store.get(ORDERS, "o-1") == stored

    def test_a_delete_takes_the_document_away(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        store.delete(ORDERS, "o-1", first)
        assert store.get(ORDERS, "o-1") is None
        self.expect(store, [])

    def test_a_delete_of_an_older_version_conflicts_and_deletes_nothing(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        second = store.replace(ORDERS, "o-1", order(2, rev=2), first)
        with pytest.raises(Conflict):
            store.delete(ORDERS, "o-1", first)
        assert store.get(ORDERS, "o-1") == second

    def test_a_delete_of_nothing_conflicts(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        store.delete(ORDERS, "o-1", first)
        with pytest.raises(Conflict):
            store.delete(ORDERS, "o-1", first)

    def test_collections_and_keys_are_apart(self, store: Store) -> None:
        store.insert(ORDERS, "o-1", order(1))
        assert store.get("payments", "o-1") is None
        assert store.get(ORDERS, "O-1") is None
        assert store.get(ORDERS, "o-1.") is None
        store.insert("payments", "o-1", {"rev": 1, "state": {"number": 7}})
        found = store.get(ORDERS, "o-1")
        assert found is not None
        assert found.document["state"] == {"number": 1}

    def test_every_allowed_character_and_length_makes_a_key_of_its_own(self, store: Store) -> None:
        keys = ["abc.DEF_123=-", "=C3=B6", "-", ".a", "_" * 249, "x" * 250, "x" * 249]
        written: list[Stored] = [store.insert(ORDERS, key, {"rev": 1, "state": {"key": key}}) for key in keys]
        assert [store.get(ORDERS, key) for key in keys] == written

    def test_a_document_of_the_allowed_size_is_kept(self, store: Store) -> None:
        document = {"rev": 1, "state": {"text": "ä" * 125_000}}
        store.insert(ORDERS, "o-1", document)
        found = store.get(ORDERS, "o-1")
        assert found is not None
        assert found.document == document

    def test_nobody_shares_an_object_with_the_store(self, store: Store) -> None:
        document = order(1)
        stored = store.insert(ORDERS, "o-1", document)
        document["state"]["number"] = 2
        stored.document["state"]["number"] = 3
        found = store.get(ORDERS, "o-1")
        assert found is not None
        assert found.document["state"]["number"] == 1

    def test_a_query_lists_one_partition_by_its_sort_values(self, store: Store) -> None:
        for number in (3, 1, 2):
            store.insert(ORDERS, f"o-{9 - number}", order(number))
        store.insert(ORDERS, "o-other", order(4, customer="c-2"))
        store.insert(ORDERS, "o-near", order(5, customer="c-10"))
        store.insert(ORDERS, "o-none", {"rev": 1, "state": {"number": 6}})
        page = self.expect(store, [1, 2, 3])
        assert [key for key, _ in page.items] == ["o-8", "o-7", "o-6"]
        assert page.cursor is None

    def test_a_query_gives_what_is_stored_with_its_version(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        second = store.replace(ORDERS, "o-1", order(2, rev=2), first)
        page = self.expect(store, [2])
        assert page.items == (("o-1", second),)
        store.replace(ORDERS, "o-1", order(3, rev=3), page.items[0][1])

    def test_a_descending_query_lists_the_last_first(self, store: Store) -> None:
        for number in (3, 1, 2):
            store.insert(ORDERS, f"o-{number}", order(number))
        self.expect(store, [3, 2, 1], descending=True)

    def test_through_ends_the_list_after_the_value_itself(self, store: Store) -> None:
        for number in range(1, 5):
            store.insert(ORDERS, f"o-{number}", order(number))
        self.expect(store, [1, 2], through="t-002")
        self.expect(store, [1, 2], through="t-002x")
        self.expect(store, [2, 1], through="t-002", descending=True)
        self.expect(store, [], through="t-000")

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 50])
    def test_pages_put_together_are_the_list(self, store: Store, limit: int, descending: bool) -> None:
        for number in range(1, 7):
            store.insert(ORDERS, f"o-{number * 5 % 7}", order(number))  # The keys are in another order.
        expected = list(range(6, 0, -1) if descending else range(1, 7))
        found: list[int] = []
        cursor: str | None = None
        for _ in range(20):
            page = store.query(ORDERS, "customer", "c-1", descending=descending, limit=limit, cursor=cursor)
            assert len(page.items) <= limit
            found += numbers(page)
            cursor = page.cursor
            if cursor is None:
                break
        assert found == expected
        assert cursor is None

    def test_documents_of_one_sort_value_are_all_listed_once(self, store: Store) -> None:
        for number in range(5):
            store.insert(ORDERS, f"o-{number}", {**order(number), "index": {"customer": ["c-1", "same"]}})
        found: list[int] = []
        cursor: str | None = None
        for _ in range(20):
            page = store.query(ORDERS, "customer", "c-1", limit=2, cursor=cursor, through="same")
            found += numbers(page)
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted(found) == [0, 1, 2, 3, 4]

    def test_pages_go_on_from_their_place_while_others_write(self, store: Store) -> None:
        for number in (1, 2, 3, 4):
            store.insert(ORDERS, f"o-{number}", order(number))
        first = store.query(ORDERS, "customer", "c-1", limit=2)
        store.delete(ORDERS, "o-2", first.items[1][1])
        store.insert(ORDERS, "o-0", order(0))
        second = store.query(ORDERS, "customer", "c-1", limit=9, cursor=first.cursor)
        assert numbers(second) == [3, 4]

    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("cursor", MADE_UP)
    def test_what_is_no_cursor_is_a_value_error_or_a_place(self, store: Store, cursor: str, descending: bool) -> None:
        """Clients send cursors back: what they make up must not look like a failure of ours."""
        store.insert(ORDERS, "o-1", order(1))
        try:
            page = store.query(ORDERS, "customer", "c-1", cursor=cursor, descending=descending)
        except ValueError:
            return
        assert numbers(page) in ([], [1])

    def test_a_scan_shows_every_document_of_its_collection_once_with_its_version(self, store: Store) -> None:
        made = {f"o-{number}": store.insert(ORDERS, f"o-{number}", order(number)) for number in range(7)}
        made["o-3"] = store.replace(ORDERS, "o-3", order(3, rev=2), made["o-3"])
        store.delete(ORDERS, "o-5", made.pop("o-5"))
        store.insert("attempts", "o-1", {"rev": 1})
        found = list(store.scan(ORDERS))
        assert len(found) == len(made)
        assert dict(found) == made

    def test_a_query_of_nothing_is_an_empty_page(self, store: Store) -> None:
        assert store.query(ORDERS, "customer", "nobody") == Page((), None)

    def test_an_entry_that_moved_is_found_at_its_new_place_only(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        store.insert(ORDERS, "o-2", order(2))
        second = store.replace(ORDERS, "o-1", order(3, rev=2), first)
        self.expect(store, [2, 3])
        store.replace(ORDERS, "o-1", order(3, customer="c-2", rev=3), second)
        self.expect(store, [2])
        assert numbers(store.query(ORDERS, "customer", "c-2")) == [3]

    def test_a_document_that_lost_its_entry_is_not_listed(self, store: Store) -> None:
        first = store.insert(ORDERS, "o-1", order(1))
        store.replace(ORDERS, "o-1", {"rev": 2, "state": {"number": 1}}, first)
        self.expect(store, [])

    def test_indexes_are_apart(self, store: Store) -> None:
        both = {"customer": ["c-1", "t-001"], "due": ["due-0", "9"]}
        store.insert(ORDERS, "o-1", {"rev": 1, "state": {"number": 1}, "index": both})
        store.insert(ORDERS, "o-2", {"rev": 1, "state": {"number": 2}, "index": {"due": ["due-0", "8"]}})
        self.expect(store, [1])
        assert numbers(store.query(ORDERS, "due", "due-0")) == [2, 1]
        assert numbers(store.query(ORDERS, "due", "c-1")) == []
