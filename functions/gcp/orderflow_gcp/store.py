"""`orderflow.ports.Store` on Firestore in native mode.

Layout
    One Firestore collection per collection, ``{prefix}-{collection}``. A Firestore document holds the whole document as
    canonical JSON in the string field ``document``, for each index entry the fields ``{index}_partition`` and
    ``{index}_sort``, and ``expires_at`` as a timestamp, the field of the TTL policy. Each index needs two composite
    indexes (partition ascending; sort ascending, and descending); ``document`` is to be exempted from single-field
    indexing, where a value is cut at 1,500 bytes and each write would pay for it.

Delivery semantics
    The version is the document's update time in full precision, and `replace` and `delete` carry it as a precondition.
    No transaction is used: their locks make writers of one document wait for each other. The SDK would repeat what got
    no answer: reads for five minutes, longer than any function has, and commits, where the second try meets the first
    one's work and is taken for a lost compare-and-set. Both are switched off: the message comes again by itself.

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orderflow.envelope import canonical
from orderflow.ports import Conflict, Document, Page, Stored
from orderflow_gcp.errors import unavailable

if TYPE_CHECKING:
    from google.api_core.retry import Retry
    from google.cloud import firestore

_TIMEOUT_SECONDS = 10.0
"""Longest wait for one answer: a fraction of a function's time, so that the message can still be given back."""


class FirestoreStore:
    """All documents of one deployment. The client is made on first use, after the server has forked."""

    def __init__(self, project: str, database: str, prefix: str) -> None:
        self._project = project
        self._database = database
        self._prefix = prefix

    def get(self, collection: str, key: str) -> Stored | None:
        with unavailable("firestore get"):
            snapshot = self._reference(collection, key).get(retry=_no_retry(), timeout=_TIMEOUT_SECONDS)
        return _stored(snapshot) if snapshot.exists else None

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        with _conflicts(f"insert {collection} {key}"):
            written = self._reference(collection, key).create(
                _fields(document), retry=_no_retry(), timeout=_TIMEOUT_SECONDS
            )
        return Stored(document, _version(written.update_time))

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        from google.cloud.firestore import DELETE_FIELD

        fields = dict.fromkeys(_fields(previous.document), DELETE_FIELD) | _fields(document)
        with _conflicts(f"replace {collection} {key}"):
            written = self._reference(collection, key).update(
                fields, option=self._unchanged(previous), retry=_no_retry(), timeout=_TIMEOUT_SECONDS
            )
        return Stored(document, _version(written.update_time))

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        with _conflicts(f"delete {collection} {key}"):
            self._reference(collection, key).delete(
                option=self._unchanged(previous), retry=_no_retry(), timeout=_TIMEOUT_SECONDS
            )

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
        from google.cloud.firestore import FieldFilter, Query

        sort = f"{index}_sort"
        direction = Query.DESCENDING if descending else Query.ASCENDING
        query: Any = self._collection(collection).where(filter=FieldFilter(f"{index}_partition", "==", partition))
        if through is not None:
            query = query.where(filter=FieldFilter(sort, "<=", through))
        query = query.order_by(sort, direction=direction).order_by("__name__", direction=direction)
        if cursor is not None:
            value, last = json.loads(cursor)
            query = query.start_after({sort: value, "__name__": self._reference(collection, last)})
        with unavailable("firestore query"):
            found = query.limit(limit + 1).get(retry=_no_retry(), timeout=_TIMEOUT_SECONDS)
        items = [(_key(snapshot.id), snapshot) for snapshot in found[:limit]]
        more = json.dumps([items[-1][1].get(sort), items[-1][0]]) if len(found) > limit else None
        return Page(tuple((key, _stored(snapshot)) for key, snapshot in items), more)

    @cached_property
    def _client(self) -> firestore.Client:
        from google.cloud import firestore

        return firestore.Client(project=self._project, database=self._database)

    def _collection(self, collection: str) -> firestore.CollectionReference:
        return self._client.collection(f"{self._prefix}-{collection}")

    def _reference(self, collection: str, key: str) -> firestore.DocumentReference:
        return self._collection(collection).document(f"={key}" if key[0] in "._=" else key)

    def _unchanged(self, previous: Stored) -> firestore.LastUpdateOption:
        from google.api_core.datetime_helpers import DatetimeWithNanoseconds
        from google.cloud.firestore import LastUpdateOption

        return LastUpdateOption(DatetimeWithNanoseconds.from_rfc3339(previous.version))  # type: ignore[no-untyped-call]


def _fields(document: Document) -> dict[str, Any]:
    fields: dict[str, Any] = {"document": canonical(document).decode()}
    index: Mapping[str, tuple[str, str]] = document.get("index", {})
    for name, (partition, sort) in index.items():
        fields[f"{name}_partition"] = partition
        fields[f"{name}_sort"] = sort
    if "expires_at" in document:
        fields["expires_at"] = datetime.fromtimestamp(document["expires_at"], UTC)
    return fields


def _key(document_id: str) -> str:
    return document_id.removeprefix("=")


def _stored(snapshot: firestore.DocumentSnapshot[Any]) -> Stored:
    return Stored(json.loads(snapshot.get("document")), _version(snapshot.update_time))


def _version(update_time: Any) -> str:
    return str(update_time.rfc3339())


def _no_retry() -> Retry:
    from google.api_core.retry import Retry

    return Retry(predicate=lambda error: False)


@contextmanager
def _conflicts(what: str) -> Iterator[None]:
    from google.api_core.exceptions import Aborted, AlreadyExists, FailedPrecondition, NotFound

    with unavailable(f"firestore {what}"):
        try:
            yield
        except (Aborted, AlreadyExists, FailedPrecondition, NotFound) as error:
            raise Conflict(f"{what}: {error}") from error
