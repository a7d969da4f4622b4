"""The document store on DynamoDB: one table per collection.

An item holds the document as one JSON string, and beside it only what DynamoDB itself must see: ``version``,
``expires_at`` for its TTL, and ``<index>_partition`` / ``<index>_sort`` for the global secondary index ``<index>``.

Consistency
    Reads are strongly consistent. An index lags behind its table, so a query reads the documents it found there again,
    consistently, and drops those that no longer have that entry (KEYS_ONLY projection: an index write costs least).
Limits
    400 KB an item (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html), 100 items or 16 MB a
    BatchGetItem. TTL deletes days late: nothing may rely on it.
Errors
    A condition that failed is `Conflict`, everything else `Unavailable`. The SDK repeats a request whose answer was
    lost; versions are unique, so a repeat that finds its own version knows that it had been written.
"""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from orderflow.envelope import canonical
from orderflow.ports import Conflict, Document, Page, Stored, Unavailable
from orderflow_aws.sdk import Clients, unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Value

_BATCH = 100


class DynamoStore:
    """`orderflow.ports.Store` over the tables ``<prefix>-<collection>`` with the hash key ``key``."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix

    def get(self, collection: str, key: str) -> Stored | None:
        with unavailable("DynamoDB GetItem"):
            answer = self._clients.dynamodb.get_item(
                TableName=self._table(collection), Key={"key": {"S": key}}, ConsistentRead=True
            )
        return _stored(answer["Item"]) if "Item" in answer else None

    def insert(self, collection: str, key: str, document: Document) -> Stored:
        return self._put(collection, key, document, None)

    def replace(self, collection: str, key: str, document: Document, previous: Stored) -> Stored:
        return self._put(collection, key, document, previous)

    def delete(self, collection: str, key: str, previous: Stored) -> None:
        database = self._clients.dynamodb
        with unavailable("DynamoDB DeleteItem"):
            try:
                database.delete_item(
                    TableName=self._table(collection),
                    Key={"key": {"S": key}},
                    ConditionExpression="version = :version",
                    ExpressionAttributeValues={":version": {"S": previous.version}},
                )
            except database.exceptions.ConditionalCheckFailedException:
                raise Conflict(f"{collection} {key} changed") from None

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
        condition = "#partition = :partition" + ("" if through is None else " AND #sort <= :through")
        names = {"#partition": f"{index}_partition"} | ({} if through is None else {"#sort": f"{index}_sort"})
        values: dict[str, Value] = {":partition": {"S": partition}}
        if through is not None:
            values[":through"] = {"S": through}
        start: dict[str, Any] = {} if cursor is None else {"ExclusiveStartKey": _start(index, partition, cursor)}
        with unavailable("DynamoDB Query"):
            answer = self._clients.dynamodb.query(
                TableName=self._table(collection),
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ScanIndexForward=not descending,
                Limit=limit,
                **start,
            )
        entries = [(item["key"]["S"], item[f"{index}_sort"]["S"]) for item in answer["Items"]]
        found = self._read(collection, [key for key, _ in entries])
        current = tuple(
            (key, found[key])
            for key, sort in entries
            if key in found and found[key].document.get("index", {}).get(index) == [partition, sort]
        )
        last = answer.get("LastEvaluatedKey")
        return Page(current, _cursor(index, last) if last else None)

    def scan(self, collection: str) -> Iterator[tuple[str, Stored]]:
        pages = self._clients.dynamodb.get_paginator("scan").paginate(
            TableName=self._table(collection), ConsistentRead=True
        )
        with unavailable("DynamoDB Scan"):
            for page in pages:
                for item in page["Items"]:
                    yield item["key"]["S"], _stored(item)

    def _put(self, collection: str, key: str, document: Document, previous: Stored | None) -> Stored:
        stored = Stored(document, secrets.token_hex(8))
        database = self._clients.dynamodb
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(version)"}
        if previous is not None:
            condition = {
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": {":version": {"S": previous.version}},
            }
        with unavailable("DynamoDB PutItem"):
            try:
                database.put_item(
                    TableName=self._table(collection),
                    Item=_item(key, stored),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **condition,
                )
            except database.exceptions.ConditionalCheckFailedException as error:
                found: Mapping[str, Any] = error.response
                if found.get("Item", {}).get("version") != {"S": stored.version}:
                    raise Conflict(f"{collection} {key} {'changed' if previous else 'exists'}") from None
        return stored

    def _read(self, collection: str, keys: list[str]) -> dict[str, Stored]:
        """Read documents consistently, in as few calls as DynamoDB allows."""
        table = self._table(collection)
        found: dict[str, Stored] = {}
        waiting: list[dict[str, Any]] = [{"key": {"S": key}} for key in dict.fromkeys(keys)]
        while waiting:
            batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
            with unavailable("DynamoDB BatchGetItem"):
                answer = self._clients.dynamodb.batch_get_item(
                    RequestItems={table: {"Keys": batch, "ConsistentRead": True}}
                )
            found |= {item["key"]["S"]: _stored(item) for item in answer["Responses"].get(table, [])}
            # What did not fit into one answer's 16 MB is handed back; nothing at all means throttled.
            rest = answer.get("UnprocessedKeys", {})
            unread: list[Any] = list(rest[table]["Keys"]) if table in rest else []
            if len(unread) == len(batch):
                raise Unavailable("DynamoDB BatchGetItem: throttled")
            waiting = unread + waiting
        return found

    def _table(self, collection: str) -> str:
        return f"{self._prefix}-{collection}"


def _item(key: str, stored: Stored) -> dict[str, Value]:
    item: dict[str, Value] = {
        "key": {"S": key},
        "version": {"S": stored.version},
        "document": {"S": canonical(stored.document).decode()},
    }
    for index, (partition, sort) in stored.document.get("index", {}).items():
        item[f"{index}_partition"] = {"S": partition}
        item[f"{index}_sort"] = {"S": sort}
    if "expires_at" in stored.document:
        item["expires_at"] = {"N": str(stored.document["expires_at"])}
    return item


def _stored(item: dict[str, Value]) -> Stored:
    return Stored(json.loads(item["document"]["S"]), item["version"]["S"])


def _cursor(index: str, last: dict[str, Value]) -> str:
    return urlsafe_b64encode(canonical([last[f"{index}_sort"]["S"], last["key"]["S"]])).decode().rstrip("=")


def _start(index: str, partition: str, cursor: str) -> dict[str, Value]:
    """The index position that a cursor names. Raises `ValueError` for what is no cursor."""
    try:
        position = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        position = None
    match position:
        case [str(sort), str(key)] if sort and key:
            return {"key": {"S": key}, f"{index}_partition": {"S": partition}, f"{index}_sort": {"S": sort}}
    raise ValueError("no such cursor")
