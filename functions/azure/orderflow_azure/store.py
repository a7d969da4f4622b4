"""The document store on Azure Tables: one table per collection, ``<prefix><collection>`` in letters and digits.

Layout
    A document is one entity: partition key = its key, the canonical JSON cut into the string properties ``json0``,
    ``json1``, ... Tables has no secondary index, so each index entry is two more entities, in a partition of the
    index's own (``<index>!<partition>``): row key ``a<sort>!<key>`` to list upwards and, because Tables sorts row keys
    upwards only, ``d<sort and key with the alphabet reversed>`` to list downwards. Both are written in one transaction.

Consistency
    Reads are strongly consistent. Index entries are written before the document and removed after it, so one may be
    there too early or too long, never be missing; `query` reads every document and drops what has no such entry. An entry
    is removed only under the ETag that its document remembers: whoever is about to write the same entry again has
    changed that ETag before. What a crash left behind is removed by a query a day later.

Limits
    64 KiB (32,768 UTF-16 units) a string property, 1 MiB an entity, keys of 1 KiB without ``/ \\ # ?``
    (learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model). Tables has no time to
    live: ``expires_at`` is an entity property, so that a job of the operator's can find what may go; nothing is deleted
    here. A query costs one read per document.

Errors
    409, 412 and 404 are conditions that did not hold: `Conflict`. All others are `Unavailable`; a missing table is.
    The SDK's repetitions of a write that may have been done are switched off: a repeated write meets its own first try
    and would be taken for a lost compare-and-set.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from orderflow.envelope import canonical
from orderflow.ports import Conflict, Document, Page, Stored
from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from azure.data.tables import TableClient

_CHUNK = 16_000
"""Characters per property: 32,000 UTF-16 units where all of them are outside the basic plane."""

_ROW = "document"
_ONCE: dict[str, Any] = {"retry_read": 0, "retry_status": 0}
_LEFT_BEHIND = timedelta(days=1)
"""No writer is this long between its index entry and its document."""

_ALPHABET = "".join(sorted("-.=_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_REVERSED = str.maketrans(_ALPHABET, _ALPHABET[::-1])

Entry = tuple[str, str, str]
"""Index name, partition, sort value."""


class TablesStore:
    """`orderflow.ports.Store` over the tables of one storage account."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix
        self._tables: dict[str, TableClient] = {}

    def get(self, collection: str, key: str) -> Stored | None:
        from azure.core.exceptions import ResourceNotFoundError

        with unavailable(f"Tables get {collection}"):
            try:
                return _stored(self._table(collection).get_entity(key, _ROW))
            except ResourceNotFoundError as error:
                if _no_table(error):
                    raise
                return None

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        table = self._table(collection)
        with _conflicts(f"insert {collection} {key}"):
            tags = {entry: _write_entry(table, key, entry) for entry in _entries(document)}
            written = table.create_entity(_entity(key, document, tags), **_ONCE)
        return Stored(document, _version(written["etag"], tags))

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        table = self._table(collection)
        etag, old = _read_version(previous.version)
        with _conflicts(f"replace {collection} {key}"):
            tags = {entry: old.get(entry) or _write_entry(table, key, entry) for entry in _entries(document)}
            written = table.update_entity(
                _entity(key, document, tags),
                UpdateMode.REPLACE,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
                **_ONCE,
            )
        _remove_entries(table, key, {entry: tag for entry, tag in old.items() if entry not in tags})
        return Stored(document, _version(written["etag"], tags))

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        table = self._table(collection)
        etag, old = _read_version(previous.version)
        # Deleted in a transaction of one: the SDK's delete_entity says nothing where there is nothing.
        with _conflicts(f"delete {collection} {key}"):
            table.submit_transaction([_deletion(key, _ROW, etag)], **_ONCE)
        _remove_entries(table, key, old)

    def query(
        self,
        collection: str,
        index: str,
        partition: str,
        *,
        through: str | None = None,
        descending: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        after, before = _range(through, descending)
        table = self._table(collection)
        with unavailable(f"Tables query {collection} {index}"):
            found = table.query_entities(
                "PartitionKey eq @partition and RowKey gt @after and RowKey lt @before",
                parameters={"partition": f"{index}!{partition}", "after": cursor or after, "before": before},
                results_per_page=min(limit + 1, 1000),
            )
            rows = [row for row, _ in zip(found, range(limit + 1), strict=False)]
        shown = rows[:limit]
        items: list[tuple[str, Stored]] = []
        entries = [_parse_row_key(row["RowKey"]) for row in shown]
        for row, (sort, key), stored in zip(
            shown, entries, self._get_all(collection, [key for _, key in entries]), strict=True
        ):
            entry = (index, partition, sort)
            if stored is not None and entry in _entries(stored.document):
                items.append((key, stored))
            elif row.metadata["timestamp"] < datetime.now(UTC) - _LEFT_BEHIND:
                _remove_entry(table, key, entry, row["RowKey"], row.metadata["etag"])
        return Page(tuple(items), shown[-1]["RowKey"] if len(rows) > limit else None)

    def _get_all(self, collection: str, keys: list[str]) -> list[Stored | None]:
        """Read documents at the same time: Tables has no batch read, and each takes a round trip."""
        if len(keys) < 2:
            return [self.get(collection, key) for key in keys]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(8, len(keys))) as pool:
            return list(pool.map(lambda key: self.get(collection, key), keys))

    def _table(self, collection: str) -> TableClient:
        if collection not in self._tables:
            self._tables[collection] = self._clients.tables.get_table_client(table_name(self._prefix, collection))
        return self._tables[collection]


def table_name(prefix: str, collection: str) -> str:
    """The table of a collection. Table names are letters and digits only."""
    return "".join(character for character in prefix + collection if character.isalnum())


def _entries(document: Document) -> list[Entry]:
    index: Mapping[str, tuple[str, str]] = document.get("index", {})
    return [(name, partition, sort) for name, (partition, sort) in index.items()]


def _entity(key: str, document: Document, tags: dict[Entry, str]) -> dict[str, Any]:
    text = canonical(document).decode()
    entity: dict[str, Any] = {"PartitionKey": key, "RowKey": _ROW, "entries": _dump_tags(tags)}
    for number, start in enumerate(range(0, len(text), _CHUNK)):
        entity[f"json{number}"] = text[start : start + _CHUNK]
    if "expires_at" in document:
        entity["expires_at"] = datetime.fromtimestamp(document["expires_at"], UTC)
    return entity


def _stored(entity: Any) -> Stored:
    chunks: list[str] = []
    while (chunk := entity.get(f"json{len(chunks)}")) is not None:
        chunks.append(chunk)
    return Stored(json.loads("".join(chunks)), f"{entity.metadata['etag']}\n{entity['entries']}")


def _version(etag: str, tags: dict[Entry, str]) -> str:
    """A version is the document's ETag, and the ETags of the index entries that were written for it."""
    return f"{etag}\n{_dump_tags(tags)}"


def _read_version(version: str) -> tuple[str, dict[Entry, str]]:
    etag, tags = version.split("\n")
    return etag, {(name, partition, sort): tag for name, partition, sort, tag in json.loads(tags)}


def _dump_tags(tags: dict[Entry, str]) -> str:
    return json.dumps([[*entry, tag] for entry, tag in tags.items()])


def _row_keys(entry: Entry, key: str) -> tuple[str, str]:
    """The row keys of an index entry, upwards and downwards. ``!`` sorts before every character that a sort value may
    hold, and ``~`` after, so that a value sorts before one that it begins."""
    sort = entry[2]
    return f"a{sort}!{key}", f"d{sort.translate(_REVERSED)}~{key.translate(_REVERSED)}"


def _parse_row_key(row_key: str) -> tuple[str, str]:
    if row_key.startswith("a"):
        sort, key = row_key[1:].split("!")
    else:
        sort, key = row_key[1:].translate(_REVERSED).split("~")
    return sort, key


def _range(through: str | None, descending: bool) -> tuple[str, str]:
    """The row keys between which a list lies, both excluded."""
    if descending:
        return ("d" if through is None else f"d{through.translate(_REVERSED)}}}"), "e"
    return "a", ("b" if through is None else f'a{through}"')


def _write_entry(table: TableClient, key: str, entry: Entry) -> str:
    """Write both entities of an index entry. Answers the ETag of the first, under which both are removed."""
    partition = f"{entry[0]}!{entry[1]}"
    upwards, downwards = _row_keys(entry, key)
    written = table.submit_transaction(
        [
            ("upsert", {"PartitionKey": partition, "RowKey": upwards}, {"mode": "replace"}),
            ("upsert", {"PartitionKey": partition, "RowKey": downwards}, {"mode": "replace"}),
        ]
    )
    etag: str = written[0]["etag"]
    return etag


def _remove_entries(table: TableClient, key: str, tags: dict[Entry, str]) -> None:
    for entry, tag in tags.items():
        _remove_entry(table, key, entry, _row_keys(entry, key)[0], tag)


def _remove_entry(table: TableClient, key: str, entry: Entry, guarded: str, tag: str) -> None:
    """Remove both entities of an entry if the guarded one still has its ETag. What stays does no harm."""
    partition = f"{entry[0]}!{entry[1]}"
    with best_effort():
        table.submit_transaction(
            [_deletion(partition, row, tag if row == guarded else None) for row in _row_keys(entry, key)]
        )


def _deletion(partition: str, row: str, etag: str | None) -> tuple[str, dict[str, str], dict[str, Any]]:
    from azure.core import MatchConditions

    condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}
    return "delete", {"PartitionKey": partition, "RowKey": row}, condition


@contextmanager
def best_effort() -> Iterator[None]:
    """Let pass what an Azure client raises."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError:
        return


@contextmanager
def _conflicts(what: str) -> Iterator[None]:
    from azure.core.exceptions import HttpResponseError

    with unavailable(f"Tables {what}"):
        try:
            yield
        except HttpResponseError as error:
            if error.status_code in (404, 409, 412) and not _no_table(error):
                raise Conflict(f"{what}: {error.reason}") from error
            raise


def _no_table(error: Exception) -> bool:
    return "TableNotFound" in str(error)
