"""The document store on Azure Tables: one table per collection, ``<prefix><collection>`` in letters and digits.

Layout
    A document is one entity: partition key = its key, the canonical JSON cut into the string properties ``json0``,
    ``json1``, ... Tables has no secondary index, so each index entry is two more entities, in a partition of the
    index's own (``<index>!<partition>``): row key ``a<sort>!<key>`` to list upwards and, because Tables sorts row keys
    upwards only, ``d<sort and key with the alphabet reversed>`` to list downwards. They are written at the same time by
    themselves: a transaction of two costs the SDK more than twice one write.

Consistency
    Reads are strongly consistent. Index entries are written before the document and removed after it, so one may be
    there too early or too long, never be missing; `query` reads every document and drops what has no such entry. An
    entry is removed only under the ETags that its document remembers: whoever is about to write the same entry again
    has changed them before. What a crash left behind is removed by a query a day later.

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
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from orderflow.envelope import canonical
from orderflow.ports import Conflict, Document, Page, Stored
from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from azure.data.tables import TableClient

T = TypeVar("T")
R = TypeVar("R")

_CHUNK = 16_000
"""Characters per property: 32,000 UTF-16 units where all of them are outside the basic plane."""

_ROW = "document"
_ONCE: dict[str, Any] = {"retry_read": 0, "retry_status": 0}
_LEFT_BEHIND = timedelta(days=1)
"""No writer is this long between its index entry and its document."""

_ALPHABET = "".join(sorted("-.=_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
_IN_ROW_KEYS = frozenset(_ALPHABET + "!~")
_REVERSED = str.maketrans(_ALPHABET, _ALPHABET[::-1])

Row = tuple[str, str]
"""Partition key and row key of an index entity."""


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
            tags = self._write_rows(table, _rows(key, document))
            written = table.create_entity(_entity(key, document, tags), **_ONCE)
        return Stored(document, _version(written["etag"], tags))

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        from azure.core import MatchConditions
        from azure.data.tables import UpdateMode

        table = self._table(collection)
        etag, old = _read_version(previous.version)
        rows = _rows(key, document)
        with _conflicts(f"replace {collection} {key}"):
            new = self._write_rows(table, [row for row in rows if row not in old])
            tags = {row: old.get(row) or new[row] for row in rows}
            written = table.update_entity(
                _entity(key, document, tags),
                UpdateMode.REPLACE,
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
                **_ONCE,
            )
        self._remove_rows(table, {row: tag for row, tag in old.items() if row not in tags})
        return Stored(document, _version(written["etag"], tags))

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        from azure.core import MatchConditions

        table = self._table(collection)
        etag, old = _read_version(previous.version)
        operation = ("delete", _ids((key, _ROW)), {"etag": etag, "match_condition": MatchConditions.IfNotModified})
        # In a transaction of one: the SDK's delete_entity says nothing where there is nothing.
        with _conflicts(f"delete {collection} {key}"):
            table.submit_transaction([operation], **_ONCE)
        self._remove_rows(table, old)

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
        if cursor is not None and not (after < cursor < before and _IN_ROW_KEYS.issuperset(cursor)):
            raise ValueError("no such cursor")
        table = self._table(collection)
        with unavailable(f"Tables query {collection} {index}"):
            found = table.query_entities(
                "PartitionKey eq @partition and RowKey gt @after and RowKey lt @before",
                parameters={"partition": f"{index}!{partition}", "after": cursor or after, "before": before},
                results_per_page=min(limit + 1, 1000),
            )
            entities: list[Any] = list(islice(found, limit + 1))
        shown = entities[:limit]
        keys = [_key(entity["RowKey"]) for entity in shown]
        items: list[tuple[str, Stored]] = []
        for entity, key, stored in zip(shown, keys, self._at_once(partial(self.get, collection), keys), strict=True):
            row = (entity["PartitionKey"], entity["RowKey"])
            if stored is not None and row in _rows(key, stored.document):
                items.append((key, stored))
            elif entity.metadata["timestamp"] < datetime.now(UTC) - _LEFT_BEHIND:
                self._remove_rows(table, {row: entity.metadata["etag"]})
        return Page(tuple(items), shown[-1]["RowKey"] if len(entities) > limit else None)

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        with unavailable(f"Tables scan {collection}"):
            for entity in self._table(collection).query_entities(f"RowKey eq '{_ROW}'", results_per_page=1000):
                yield entity["PartitionKey"], _stored(entity)

    def _write_rows(self, table: TableClient, rows: list[Row]) -> dict[Row, str]:
        """Write index entities. Answers their ETags, under which they are removed."""
        from azure.data.tables import UpdateMode

        written = self._at_once(lambda row: table.upsert_entity(_ids(row), UpdateMode.REPLACE), rows)
        return {row: metadata["etag"] for row, metadata in zip(rows, written, strict=True)}

    def _remove_rows(self, table: TableClient, tags: dict[Row, str]) -> None:
        """Remove index entities that still have their ETags. What stays does no harm."""
        from azure.core import MatchConditions
        from azure.core.exceptions import AzureError

        def remove(tag: tuple[Row, str]) -> None:
            try:
                table.delete_entity(_ids(tag[0]), etag=tag[1], match_condition=MatchConditions.IfNotModified)
            except AzureError:
                return

        self._at_once(remove, tags.items())

    def _at_once(self, call: Callable[[T], R], arguments: Iterable[T]) -> list[R]:
        """Make calls at the same time: each takes a round trip, and Tables has batches for one partition only."""
        arguments = list(arguments)
        if len(arguments) < 2:
            return [call(argument) for argument in arguments]
        return list(self._pool.map(call, arguments))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(8, "tables")

    def _table(self, collection: str) -> TableClient:
        if collection not in self._tables:
            self._tables[collection] = self._clients.tables.get_table_client(table_name(self._prefix, collection))
        return self._tables[collection]


def table_name(prefix: str, collection: str) -> str:
    """The table of a collection. Table names are letters and digits only."""
    return "".join(character for character in prefix + collection if character.isalnum())


def _rows(key: str, document: Document) -> list[Row]:
    """The index entities of a document, upwards and downwards. ``!`` sorts before every character that a sort value may
    hold, and ``~`` after, so that a value sorts before one that it begins."""
    index: Mapping[str, tuple[str, str]] = document.get("index", {})
    return [
        (f"{name}!{partition}", row)
        for name, (partition, sort) in index.items()
        for row in (f"a{sort}!{key}", f"d{sort.translate(_REVERSED)}~{key.translate(_REVERSED)}")
    ]


def _key(row_key: str) -> str:
    """The document's key in an index entity's row key."""
    if row_key.startswith("a"):
        return row_key.partition("!")[2]
    return row_key.partition("~")[2].translate(_REVERSED)


def _range(through: str | None, descending: bool) -> tuple[str, str]:
    """The row keys between which a list lies, both excluded."""
    if descending:
        return ("d" if through is None else f"d{through.translate(_REVERSED)}}}"), "e"
    return "a", ("b" if through is None else f'a{through}"')


def _ids(row: Row) -> dict[str, str]:
    return {"PartitionKey": row[0], "RowKey": row[1]}


def _entity(key: str, document: Document, tags: dict[Row, str]) -> dict[str, Any]:
    text = canonical(document).decode()
    entity: dict[str, Any] = {**_ids((key, _ROW)), "rows": _dump_tags(tags)}
    for number, start in enumerate(range(0, len(text), _CHUNK)):
        entity[f"json{number}"] = text[start : start + _CHUNK]
    if "expires_at" in document:
        entity["expires_at"] = datetime.fromtimestamp(document["expires_at"], UTC)
    return entity


def _stored(entity: Any) -> Stored:
    chunks: list[str] = []
    while (chunk := entity.get(f"json{len(chunks)}")) is not None:
        chunks.append(chunk)
    return Stored(json.loads("".join(chunks)), f"{entity.metadata['etag']}\n{entity['rows']}")


def _version(etag: str, tags: dict[Row, str]) -> str:
    """A version is the document's ETag, and the ETags of the index entities that were written for it."""
    return f"{etag}\n{_dump_tags(tags)}"


def _read_version(version: str) -> tuple[str, dict[Row, str]]:
    etag, tags = version.split("\n")
    return etag, {(partition, row): tag for partition, row, tag in json.loads(tags)}


def _dump_tags(tags: dict[Row, str]) -> str:
    return json.dumps([[*row, tag] for row, tag in tags.items()])


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
