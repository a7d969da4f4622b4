"""`orderflow.ports.Store` on Firestore in native mode.

Layout
    One Firestore collection per collection, ``{prefix}-{collection}``. A Firestore document holds the whole document as
    canonical JSON in the string field ``document``, for each index entry the fields ``{index}_partition`` and
    ``{index}_sort``, and ``expires_at`` as a timestamp, the field of the TTL policy. Each index needs two composite
    indexes (partition ascending; sort ascending, and descending); ``document`` is to be exempted from single-field
    indexing, where a value is cut at 1,500 bytes and each write would pay for it.

Delivery semantics
    The version is the document's update time in full precision, and `replace` and `delete` carry it as a
    precondition. No transaction is used: their locks make writers of one document wait for each other. The SDK would
    repeat what got no answer: reads for five minutes, longer than any function has, and commits, where the second try
    meets the first one's work and is taken for a lost compare-and-set. Both are switched off: the message comes again
    by itself. The generated client is used because a write of it replaces the whole document under a precondition, in
    half the CPU time of the one above it.

Limits
    1 MiB per document, about one sustained write a second per document, 500 writes a second to documents whose indexed
    values only grow (firebase.google.com/docs/firestore/quotas and .../best-practices). A document id must not be
    ``.``, ``..`` or ``__*__``: keys that begin with ``.``, ``_`` or ``=`` get a ``=`` before them.

Errors
    AlreadyExists, FailedPrecondition and NotFound are conditions that did not hold: `Conflict`. Aborted is contention
    on the document; the commit was given up whole, and reading again is the answer: `Conflict` as well. All others are
    `Unavailable`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orderflow.envelope import canonical
from orderflow.ports import Conflict, Document, Page, Stored
from orderflow_gcp.errors import unavailable

if TYPE_CHECKING:
    from google.cloud.firestore_v1 import types
    from google.cloud.firestore_v1.services.firestore import FirestoreClient

_TIMEOUT_SECONDS = 10.0
"""Longest wait for one answer: a fraction of a function's time, so that the message can still be given back."""

_SCAN_SECONDS = 600.0

_ALLOWED = re.compile(r"[\w.=-]{1,250}", re.ASCII)

Value = dict[str, Any]
"""A Firestore value, such as ``{"string_value": "text"}``."""


class FirestoreStore:
    """All documents of one deployment. The client is made on first use, after the server has forked."""

    def __init__(self, project: str, database: str, prefix: str) -> None:
        self._database = f"projects/{project}/databases/{database}"
        self._prefix = prefix

    def get(self, collection: str, key: str) -> Stored | None:
        from google.api_core.exceptions import NotFound

        request = {"name": self._name(collection, key)}
        with unavailable("firestore get"):
            try:
                found = self._client.get_document(request, retry=None, timeout=_TIMEOUT_SECONDS)
            except NotFound:
                return None
        return _stored(found)

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        update = {"name": self._name(collection, key), "fields": _fields(document)}
        written = self._commit({"update": update, "current_document": {"exists": False}})
        return Stored(document, _version(written))

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        update = {"name": self._name(collection, key), "fields": _fields(document)}
        written = self._commit({"update": update, "current_document": _unchanged(previous)})
        return Stored(document, _version(written))

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        self._commit({"delete": self._name(collection, key), "current_document": _unchanged(previous)})

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
        sort = f"{index}_sort"
        direction = "DESCENDING" if descending else "ASCENDING"
        query: dict[str, Any] = {
            "from_": [{"collection_id": f"{self._prefix}-{collection}"}],
            "where": _where(index, partition, through),
            "order_by": [{"field": {"field_path": path}, "direction": direction} for path in (sort, "__name__")],
            "limit": limit + 1,
        }
        if cursor is not None:
            value, last = _open_cursor(cursor)
            query["start_at"] = {"values": [_text(value), {"reference_value": self._name(collection, last)}]}
        found = self._run(query)
        items = tuple((_key(document.name), _stored(document)) for document in found[:limit])
        if len(found) <= limit:
            return Page(items, None)
        return Page(items, json.dumps([found[limit - 1].fields[sort].string_value, items[-1][0]]))

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        query = {"from_": [{"collection_id": f"{self._prefix}-{collection}"}]}
        request = {"parent": f"{self._database}/documents", "structured_query": query}
        with unavailable("firestore scan"):
            for answer in self._client.run_query(request, retry=None, timeout=_SCAN_SECONDS):
                if "document" in answer:
                    yield _key(answer.document.name), _stored(answer.document)

    @cached_property
    def _client(self) -> FirestoreClient:
        import grpc
        from google.cloud.firestore_v1.services.firestore import FirestoreClient
        from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

        emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
        if emulator is None:
            return FirestoreClient()
        return FirestoreClient(transport=FirestoreGrpcTransport(channel=grpc.insecure_channel(emulator)))

    def _commit(self, write: dict[str, Any]) -> types.WriteResult:
        request = {"database": self._database, "writes": [write]}
        with _conflicts():
            return self._client.commit(request, retry=None, timeout=_TIMEOUT_SECONDS).write_results[0]

    def _run(self, query: dict[str, Any]) -> list[types.Document]:
        request = {"parent": f"{self._database}/documents", "structured_query": query}
        with unavailable("firestore query"):
            answers = self._client.run_query(request, retry=None, timeout=_TIMEOUT_SECONDS)
            return [answer.document for answer in answers if "document" in answer]

    def _name(self, collection: str, key: str) -> str:
        escaped = f"={key}" if key[0] in "._=" else key
        return f"{self._database}/documents/{self._prefix}-{collection}/{escaped}"


def _fields(document: Document) -> dict[str, Value]:
    fields = {"document": _text(canonical(document).decode())}
    index: Mapping[str, tuple[str, str]] = document.get("index", {})
    for name, (partition, sort) in index.items():
        fields |= {f"{name}_partition": _text(partition), f"{name}_sort": _text(sort)}
    if "expires_at" in document:
        fields["expires_at"] = {"timestamp_value": {"seconds": document["expires_at"]}}
    return fields


def _text(value: str) -> Value:
    return {"string_value": value}


def _where(index: str, partition: str, through: str | None) -> dict[str, Any]:
    conditions = [(f"{index}_partition", "EQUAL", partition)]
    if through is not None:
        conditions.append((f"{index}_sort", "LESS_THAN_OR_EQUAL", through))
    filters = [
        {"field_filter": {"field": {"field_path": path}, "op": operator, "value": _text(value)}}
        for path, operator, value in conditions
    ]
    return {"composite_filter": {"op": "AND", "filters": filters}}


def _open_cursor(cursor: str) -> tuple[str, str]:
    """The last page's last sort value and key. Raises `ValueError` for what no page gave."""
    match json.loads(cursor):
        case [str(value), str(key)] if _ALLOWED.fullmatch(value) and _ALLOWED.fullmatch(key):
            return value, key
    raise ValueError("not a cursor")


def _key(name: str) -> str:
    return name.rpartition("/")[2].removeprefix("=")


def _stored(document: types.Document) -> Stored:
    return Stored(json.loads(document.fields["document"].string_value), _version(document))


def _version(written: types.Document | types.WriteResult) -> str:
    """The update time as seconds and nanoseconds."""
    time = type(written).pb(written).update_time
    return f"{time.seconds}.{time.nanos:09}"


def _unchanged(previous: Stored) -> dict[str, Any]:
    seconds, nanos = previous.version.split(".")
    return {"update_time": {"seconds": int(seconds), "nanos": int(nanos)}}


@contextmanager
def _conflicts() -> Iterator[None]:
    from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound

    with unavailable("firestore commit"):
        try:
            yield
        except (Aborted, AlreadyExists, FailedPrecondition, NotFound) as error:
            raise Conflict(str(error)) from error
