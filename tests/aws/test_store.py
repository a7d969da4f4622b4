"""The store port on DynamoDB, answered by moto."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from botocore.stub import Stubber

from aws.conftest import Listen
from contracts.store_contract import StoreContract
from orderflow.envelope import canonical
from orderflow.ports import Conflict, Store, Unavailable
from orderflow_aws import sdk
from orderflow_aws.sdk import Clients
from orderflow_aws.store import DynamoStore


@pytest.fixture
def store(clients: Clients, resources: object) -> DynamoStore:
    return DynamoStore(clients, "orderflow")


class TestDynamoStore(StoreContract):
    """The contract of the store port."""

    @pytest.fixture
    def store(self, clients: Clients, resources: object) -> Store:
        return DynamoStore(clients, "orderflow")


def order(number: int, customer: str = "c-1", **more: Any) -> dict[str, Any]:
    return {"rev": 1, "state": {"number": number}, "index": {"customer": [customer, f"t-{number:03d}"]}, **more}


def test_insert_then_get_gives_the_document_back(store: DynamoStore) -> None:
    document = {"rev": 1, "state": {"name": "Zoë \U0001f600", "total": 9_007_199_254_740_993, "none": None}}
    stored = store.insert("orders", "o-1", document)
    assert store.get("orders", "o-1") == stored
    assert stored.document == document


def test_get_of_nothing_is_none(store: DynamoStore) -> None:
    assert store.get("orders", "o-1") is None


def test_insert_of_an_existing_key_conflicts_and_writes_nothing(store: DynamoStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    with pytest.raises(Conflict):
        store.insert("orders", "o-1", order(2))
    assert store.get("orders", "o-1") == first


def test_replace_compares_the_version(store: DynamoStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", order(2), first)
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(3), first)
    assert store.get("orders", "o-1") == second


def test_replace_of_nothing_conflicts(store: DynamoStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    store.delete("orders", "o-1", first)
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(2), first)


def test_a_version_never_comes_back(store: DynamoStore) -> None:
    """Deleted and made again with the same content: who read the first must not write over the second."""
    first = store.insert("orders", "o-1", order(1))
    store.delete("orders", "o-1", first)
    store.insert("orders", "o-1", order(1))
    with pytest.raises(Conflict):
        store.replace("orders", "o-1", order(2), first)


def test_delete_compares_the_version(store: DynamoStore) -> None:
    first = store.insert("orders", "o-1", order(1))
    second = store.replace("orders", "o-1", order(2), first)
    with pytest.raises(Conflict):
        store.delete("orders", "o-1", first)
    store.delete("orders", "o-1", second)
    with pytest.raises(Conflict):
        store.delete("orders", "o-1", second)
    assert store.get("orders", "o-1") is None


def test_a_write_that_the_sdk_repeats_is_no_conflict(store: DynamoStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a write was lost and the SDK sent the same item again: it meets its own version."""
    monkeypatch.setattr(secrets, "token_hex", lambda size: "v" * 2 * size)
    stored = store.insert("orders", "o-1", order(1))
    assert store.insert("orders", "o-1", order(1)) == stored


def test_the_document_is_stored_as_canonical_json_beside_what_dynamodb_must_see(
    store: DynamoStore, clients: Clients
) -> None:
    document = {"b": 1, "a": "ž", "expires_at": 1_800_000_000}
    store.insert("attempts", "a-1", document)
    item = clients.dynamodb.get_item(TableName="orderflow-attempts", Key={"key": {"S": "a-1"}})["Item"]
    assert item["document"]["S"].encode() == canonical(document)
    assert item["expires_at"] == {"N": "1800000000"}
    ttl = clients.dynamodb.describe_time_to_live(TableName="orderflow-attempts")["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires_at")


def test_query_lists_one_partition_in_order(store: DynamoStore) -> None:
    for number in (3, 1, 2):
        store.insert("orders", f"o-{number}", order(number))
    store.insert("orders", "o-9", order(9, customer="c-2"))
    store.insert("orders", "o-8", {"rev": 1})
    page = store.query("orders", "customer", "c-1")
    assert [key for key, _ in page.items] == ["o-1", "o-2", "o-3"]
    assert page.items[0][1] == store.get("orders", "o-1")
    assert page.cursor is None
    assert [key for key, _ in store.query("orders", "customer", "c-1", descending=True).items] == ["o-3", "o-2", "o-1"]


def test_query_ends_after_through(store: DynamoStore) -> None:
    for number in (1, 2, 3):
        store.insert("orders", f"o-{number}", order(number))
    page = store.query("orders", "customer", "c-1", through="t-002")
    assert [key for key, _ in page.items] == ["o-1", "o-2"]


def test_query_pages_hold_every_document_once(store: DynamoStore) -> None:
    for number in range(7):
        store.insert("orders", f"o-{number}", order(number // 2))  # pairs share a sort value
    keys: list[str] = []
    cursor: str | None = None
    while True:
        page = store.query("orders", "customer", "c-1", limit=3, cursor=cursor)
        assert len(page.items) <= 3
        keys += [key for key, _ in page.items]
        cursor = page.cursor
        if cursor is None:
            break
    assert sorted(keys) == [f"o-{number}" for number in range(7)]


def test_query_takes_no_cursor_of_others(store: DynamoStore) -> None:
    with pytest.raises(ValueError, match="cursor"):
        store.query("orders", "customer", "c-1", cursor="garbage")


def test_query_reads_more_documents_than_one_call_takes(store: DynamoStore) -> None:
    for number in range(130):
        store.insert("orders", f"o-{number:03d}", order(number))
    page = store.query("orders", "customer", "c-1", limit=130)
    assert [key for key, _ in page.items] == [f"o-{number:03d}" for number in range(130)]


def test_documents_are_read_consistently(store: DynamoStore, clients: Clients, listen: Listen) -> None:
    """What moto answers is always consistent: it shows in what is asked for only."""
    asked: list[bool] = []

    def note(params: dict[str, Any], model: Any, **_: object) -> None:
        if model.name == "GetItem":
            asked.append(params["ConsistentRead"])
        if model.name == "BatchGetItem":
            asked.append(params["RequestItems"]["orderflow-orders"]["ConsistentRead"])

    store.insert("orders", "o-1", order(1))
    listen(clients.dynamodb, "provide-client-params.dynamodb", note)
    store.get("orders", "o-1")
    store.query("orders", "customer", "c-1")
    assert asked == [True, True]


def test_query_shows_documents_as_they_are_now(store: DynamoStore, clients: Clients, listen: Listen) -> None:
    """Between the index read and the document read one document changes, one leaves the partition, one is deleted."""
    stored = {number: store.insert("orders", f"o-{number}", order(number)) for number in (1, 2, 3, 4)}

    def meanwhile(**_: object) -> None:
        store.replace("orders", "o-1", order(1, changed=True), stored[1])
        store.replace("orders", "o-2", order(2, customer="c-2"), stored[2])
        store.delete("orders", "o-3", stored[3])

    listen(clients.dynamodb, "after-call.dynamodb.Query", meanwhile)
    page = store.query("orders", "customer", "c-1")
    assert [key for key, _ in page.items] == ["o-1", "o-4"]
    assert page.items[0][1].document["changed"] is True


def test_a_page_of_which_nothing_is_left_is_not_the_last(store: DynamoStore, clients: Clients, listen: Listen) -> None:
    """Between the index read and the document read both documents of the first page leave the partition."""
    stored = {number: store.insert("orders", f"o-{number}", order(number)) for number in (1, 2, 3, 4)}

    def meanwhile(**_: object) -> None:
        for number in (1, 2):
            store.replace("orders", f"o-{number}", order(number, customer="c-2"), stored[number])
        clients.dynamodb.meta.events.unregister("after-call.dynamodb.Query", meanwhile)

    listen(clients.dynamodb, "after-call.dynamodb.Query", meanwhile)
    first = store.query("orders", "customer", "c-1", limit=2)
    assert first.items == ()
    assert first.cursor is not None
    second = store.query("orders", "customer", "c-1", limit=2, cursor=first.cursor)
    assert [key for key, _ in second.items] == ["o-3", "o-4"]


@pytest.mark.parametrize(
    ("code", "status"),
    [("ProvisionedThroughputExceededException", 400), ("InternalServerError", 500), ("AccessDeniedException", 400)],
)
def test_what_is_no_condition_is_unavailable(store: DynamoStore, clients: Clients, code: str, status: int) -> None:
    with Stubber(clients.dynamodb) as stub:
        for operation in ("get_item", "put_item", "query"):
            stub.add_client_error(operation, code, http_status_code=status)
        with pytest.raises(Unavailable, match=code):
            store.get("orders", "o-1")
        with pytest.raises(Unavailable, match=code):
            store.insert("orders", "o-1", order(1))
        with pytest.raises(Unavailable, match=code):
            store.query("orders", "customer", "c-1")


def test_an_endpoint_that_does_not_listen_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "ATTEMPTS", 1)
    nowhere = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    with pytest.raises(Unavailable, match="EndpointConnectionError"):
        DynamoStore(Clients(nowhere), "orderflow").get("orders", "o-1")


def test_keys_that_dynamodb_does_not_read_are_throttled(store: DynamoStore, clients: Clients) -> None:
    keys = [{"key": {"S": "o-1"}}]
    with Stubber(clients.dynamodb) as stub:
        stub.add_response(
            "query", {"Items": [{"key": {"S": "o-1"}, "customer_sort": {"S": "t"}}], "Count": 1, "ScannedCount": 1}
        )
        stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": {"orderflow-orders": {"Keys": keys}}})
        with pytest.raises(Unavailable, match="throttled"):
            store.query("orders", "customer", "c-1")


def test_keys_that_dynamodb_hands_back_are_asked_for_again(store: DynamoStore, clients: Clients) -> None:
    """One answer holds 16 MB; moto never hands anything back."""
    asked = [{"key": {"S": key}} for key in ("o-1", "o-2")]
    items = [
        {"key": {"S": key}, "version": {"S": "v"}, "document": {"S": canonical(order(number)).decode()}}
        for number, key in enumerate(("o-1", "o-2"))
    ]
    entries = [{"key": {"S": f"o-{number + 1}"}, "customer_sort": {"S": f"t-{number:03d}"}} for number in range(2)]
    with Stubber(clients.dynamodb) as stub:
        stub.add_response("query", {"Items": entries, "Count": 2, "ScannedCount": 2})
        stub.add_response(
            "batch_get_item",
            {
                "Responses": {"orderflow-orders": items[:1]},
                "UnprocessedKeys": {"orderflow-orders": {"Keys": asked[1:]}},
            },
        )
        rest = {"orderflow-orders": {"Keys": asked[1:], "ConsistentRead": True}}
        stub.add_response("batch_get_item", {"Responses": {"orderflow-orders": items[1:]}}, {"RequestItems": rest})
        page = store.query("orders", "customer", "c-1")
    assert [key for key, _ in page.items] == ["o-1", "o-2"]
