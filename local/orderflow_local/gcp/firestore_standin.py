"""A stand-in of ours for Firestore, for machines without Google's emulator: the same gRPC API, as far as orderflow
uses it.

Commit (set, update with a mask, delete, with preconditions on existence and update time, all of a commit or nothing),
GetDocument, and RunQuery over one collection with equality and range filters on strings, order, cursors and
limit. A write that changes nothing keeps its document's update time, as Firestore's does. Not there: transactions,
transforms, nested field paths, other queries (refused as unimplemented). Everything is kept in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
from google.cloud.firestore_v1 import types

from orderflow_local.gcp.grpc_standin import Message, Method, Refused, serve, stream, unary

_COMPARISONS: dict[int, Callable[[str, str], bool]] = {
    int(types.StructuredQuery.FieldFilter.Operator.EQUAL): lambda left, right: left == right,
    int(types.StructuredQuery.FieldFilter.Operator.LESS_THAN): lambda left, right: left < right,
    int(types.StructuredQuery.FieldFilter.Operator.LESS_THAN_OR_EQUAL): lambda left, right: left <= right,
    int(types.StructuredQuery.FieldFilter.Operator.GREATER_THAN): lambda left, right: left > right,
    int(types.StructuredQuery.FieldFilter.Operator.GREATER_THAN_OR_EQUAL): lambda left, right: left >= right,
}
_DESCENDING = int(types.StructuredQuery.Direction.DESCENDING)


class FirestoreStandIn:
    """Documents by full name, and the methods of the service Firestore on them."""

    def __init__(self) -> None:
        self._documents: dict[str, Message] = {}
        self._last_us = 0

    def methods(self) -> dict[str, dict[str, Method]]:
        """Every method, by service and name."""
        t = types
        return {
            "google.firestore.v1.Firestore": {
                "Commit": unary(t.CommitRequest, t.CommitResponse, self._commit),
                "GetDocument": unary(t.GetDocumentRequest, t.Document, self._get),
                "RunQuery": stream(t.RunQueryRequest, t.RunQueryResponse, self._query),
            }
        }

    async def _commit(self, request: Message) -> Message:
        if request.transaction:
            raise _unimplemented("transactions")
        now = self._tick()
        staged: dict[str, Message | None] = {}
        results = [self._write(write, staged, now) for write in request.writes]
        for name, document in staged.items():
            if document is None:
                self._documents.pop(name, None)
            else:
                self._documents[name] = document
        answer = types.CommitResponse.pb()(write_results=results)
        answer.commit_time.FromMicroseconds(now)
        return answer

    def _write(self, write: Message, staged: dict[str, Message | None], now: int) -> Message:
        """Stage one write; answers its result."""
        name = write.delete or write.update.name
        old = staged[name] if name in staged else self._documents.get(name)
        _check(name, old, write)
        result = types.WriteResult.pb()()
        if write.delete:
            staged[name] = None
            return result
        if write.update_transforms or write.WhichOneof("operation") != "update":
            raise _unimplemented("transforms")
        new = _updated(name, old, write)
        if old is not None and dict(old.fields) == dict(new.fields):
            new.update_time.CopyFrom(old.update_time)
        else:
            new.update_time.FromMicroseconds(now)
        if old is not None:
            new.create_time.CopyFrom(old.create_time)
        else:
            new.create_time.FromMicroseconds(now)
        staged[name] = new
        result.update_time.CopyFrom(new.update_time)
        return result

    async def _get(self, request: Message) -> Message:
        if request.name not in self._documents:
            raise Refused(grpc.StatusCode.NOT_FOUND, f"no document {request.name}")
        return self._documents[request.name]

    def _query(self, request: Message) -> list[Message]:
        query = request.structured_query
        [source] = query.from_
        if query.select.fields or query.HasField("end_at") or query.offset or source.all_descendants:
            raise _unimplemented("this query")
        folder = f"{request.parent}/{source.collection_id}/"
        found = [document for name, document in self._documents.items() if name.startswith(folder)]
        found = [document for document in found if "/" not in document.name[len(folder) :]]
        found = [document for document in found if _passes(document, query.where)]
        orders = [(order.field.field_path, order.direction == _DESCENDING) for order in query.order_by]
        found = [document for document in found if all(_has(document, path) for path, _ in orders)]
        for path, descending in reversed(orders):
            found.sort(key=lambda document, path=path: _value(document, path), reverse=descending)  # type: ignore[misc]
        if query.HasField("start_at"):
            found = [document for document in found if _after(document, query.start_at, orders)]
        if query.HasField("limit"):
            found = found[: query.limit.value]
        return [self._found(document) for document in found] or [self._found(None)]

    def _found(self, document: Message | None) -> Message:
        answer = types.RunQueryResponse.pb()()
        if document is not None:
            answer.document.CopyFrom(document)
        answer.read_time.FromMicroseconds(self._tick())
        return answer

    def _tick(self) -> int:
        """The time in microseconds, never the same twice: update times are versions."""
        self._last_us = max(self._last_us + 1, time.time_ns() // 1000)
        return self._last_us


def _check(name: str, old: Message | None, write: Message) -> None:
    """Raise unless the write's precondition holds."""
    condition = write.current_document
    match condition.WhichOneof("condition_type"):
        case "exists":
            if condition.exists and old is None:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"no document to update: {name}")
            if not condition.exists and old is not None:
                raise Refused(grpc.StatusCode.ALREADY_EXISTS, f"document already exists: {name}")
        case "update_time":
            if old is None:
                raise Refused(grpc.StatusCode.NOT_FOUND, f"no document to update: {name}")
            if old.update_time != condition.update_time:
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, f"the document was changed: {name}")


def _updated(name: str, old: Message | None, write: Message) -> Message:
    """The document as a write leaves it: all new, or with the fields of the mask changed or taken away."""
    new = types.Document.pb()(name=name)
    if not write.HasField("update_mask"):
        _copy(write.update.fields, new.fields)
        return new
    if old is not None:
        _copy(old.fields, new.fields)
    for path in write.update_mask.field_paths:
        field = _simple(path)
        if field in write.update.fields:
            new.fields[field].CopyFrom(write.update.fields[field])
        else:
            new.fields.pop(field, None)
    return new


def _copy(source: Any, target: Any) -> None:
    for field, value in source.items():
        target[field].CopyFrom(value)


def _simple(path: str) -> str:
    """The field that a path without nesting names; names that are no identifiers are in backticks."""
    if path.startswith("`"):
        return path[1:-1].replace("\\`", "`").replace("\\\\", "\\")
    if "." in path:
        raise _unimplemented("nested field paths")
    return path


def _passes(document: Message, where: Message) -> bool:
    match where.WhichOneof("filter_type"):
        case None:
            return True
        case "composite_filter":
            if where.composite_filter.op != types.StructuredQuery.CompositeFilter.Operator.AND:
                raise _unimplemented("filters joined by OR")
            return all(_passes(document, part) for part in where.composite_filter.filters)
        case "field_filter":
            condition = where.field_filter
            if condition.op not in _COMPARISONS:
                raise _unimplemented("this filter")
            path = condition.field.field_path
            return _has(document, path) and _COMPARISONS[condition.op](_value(document, path), _text(condition.value))
        case kind:
            raise _unimplemented(f"a {kind}")


def _after(document: Message, cursor: Message, orders: list[tuple[str, bool]]) -> bool:
    """Whether a document comes after a cursor, or is at it where the cursor stands before its own place."""
    for (path, descending), value in zip(orders, cursor.values, strict=False):
        here, there = _value(document, path), _text(value)
        if here != there:
            return (here > there) != descending
    return bool(cursor.before)


def _has(document: Message, path: str) -> bool:
    return path == "__name__" or _simple(path) in document.fields


def _value(document: Message, path: str) -> str:
    return str(document.name) if path == "__name__" else _text(document.fields[_simple(path)])


def _text(value: Message) -> str:
    kind = value.WhichOneof("value_type")
    if kind not in ("string_value", "reference_value"):
        raise _unimplemented(f"comparing a {kind}")
    return str(getattr(value, kind))


def _unimplemented(what: str) -> Refused:
    return Refused(grpc.StatusCode.UNIMPLEMENTED, f"the Firestore stand-in has no {what}")


def main() -> None:
    """Serve until stopped."""
    serve("a stand-in for Firestore", lambda: FirestoreStandIn().methods())


if __name__ == "__main__":
    main()
