"""The HTTP API of any cloud: whatever is sent, the answer says what is wrong, and nothing is stored. And the doors
that are not the API's."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from conformance.world import World, fact, order, order_placed, placed

GOOD = {"lines": [{"sku": "NO-SUCH-THING", "quantity": 1}], "payment_token": "tok_visa"}

BODIES: dict[str, tuple[bytes, int, str]] = {
    "malformed JSON": (b'{"lines": [', 400, "malformed-json"),
    "no body": (b"", 400, "malformed-json"),
    "not UTF-8": (b"\xff\xfe\x00", 400, "malformed-json"),
    "no lines": (json.dumps({**GOOD, "lines": []}).encode(), 422, "invalid"),
    "a negative quantity": (json.dumps({**GOOD, "lines": [{"sku": "A", "quantity": -1}]}).encode(), 422, "invalid"),
    "half a piece": (json.dumps({**GOOD, "lines": [{"sku": "A", "quantity": 0.5}]}).encode(), 422, "invalid"),
    "an unknown field": (json.dumps({**GOOD, "price": 1}).encode(), 422, "invalid"),
    "an unknown SKU": (json.dumps(GOOD).encode(), 422, "unknown-sku"),
    "two thousand lines": (
        json.dumps({**GOOD, "lines": [{"sku": f"SKU-{n}", "quantity": 1} for n in range(2000)]}).encode(),
        422,
        "too-many-lines",
    ),
    "a megabyte": (json.dumps({**GOOD, "payment_token": "x" * 1_000_000}).encode(), 413, "too-large"),
}


@pytest.mark.case(16, needs="token check")
def test_bad_orders_are_refused_with_a_problem_document_and_leave_nothing(world: World) -> None:
    client = world.client("somebody")
    for case, (body, status, code) in BODIES.items():
        answer = client.post("/orders", content=body, headers={"content-type": "application/json"})
        problem = problem_of(answer)
        assert (case, answer.status_code, problem["type"]) == (case, status, f"urn:orderflow:problem:{code}")
    assert client.get("/orders").json()["orders"] == []


@pytest.mark.case(16, needs="token check")
def test_nobody_is_let_in_without_a_good_token(world: World) -> None:
    good = world.token("eve")
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    tokens = {
        "none": None,
        "no token at all": "Bearer",
        "nonsense": "Bearer nonsense",
        "another subject under the same signature": f"Bearer {header}.{_part({**claims, 'sub': 'ann'})}.{signature}",
        "no signature": f"Bearer {_part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "altered": f"Bearer {good[:-4]}AAAA",
    }
    for case, token in tokens.items():
        answer = world.anonymous({"authorization": token} if token else {}).get("/orders")
        assert (case, answer.status_code) == (case, 401)
        assert token is None or token not in answer.text
    assert world.client("eve").get("/orders").status_code == 200


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.case(16, needs="token check")
def test_one_sees_ones_own_orders_only(world: World, sku: str) -> None:
    ann, eve = world.customer(), world.customer()
    order_id = placed(ann, order(sku))

    assert eve.get(f"/orders/{order_id}").status_code == 404
    assert eve.post(f"/orders/{order_id}/cancel").status_code == 404
    assert eve.get("/orders").json()["orders"] == []
    assert [each["order_id"] for each in ann.get("/orders").json()["orders"]] == [order_id]


@pytest.mark.case(16, needs="closed consumer door")
def test_a_forged_event_at_a_consumers_door_is_turned_away(world: World, sku: str) -> None:
    """Whoever reaches a consumer's address without the broker's token gets nothing done."""
    assert world.machine is not None, "a deployed consumer's address is not told: it has private ingress"
    forged = fact(order_placed(sku))
    push = {"message": {"data": base64.b64encode(forged.to_bytes()).decode(), "messageId": "1"}, "subscription": "s"}
    door = consumer_url(world, "payment")
    for headers in ({}, {"authorization": f"Bearer {world.token('eve')}"}, {"authorization": "Bearer a.b.c"}):
        answer = httpx.post(door, json=push, headers=headers, timeout=30)
        assert answer.status_code in (401, 403)
    world.at_rest()
    assert world.state("payment", forged.subject) is None


def consumer_url(world: World, service: str) -> str:
    """Where a local Google Cloud serves a consumer."""
    assert world.machine is not None
    urls: dict[str, str] = world.machine.cloud.urls  # type: ignore[attr-defined]  # only this cloud's consumers have one
    return urls[service]


@pytest.mark.case(11, needs="compare-and-set")
def test_one_key_many_times_at_once_is_one_order(world: World, sku: str) -> None:
    client = world.customer()

    with ThreadPoolExecutor(4) as pool:
        order_ids = set(pool.map(lambda _: placed(client, order(sku), "one-key"), range(12)))

    assert len(order_ids) == 1
    assert len(client.get("/orders").json()["orders"]) == 1


@pytest.mark.case(11, needs="compare-and-set")
def test_a_key_with_another_order_is_refused_and_the_first_order_stands(world: World, sku: str) -> None:
    client = world.customer()
    order_id = placed(client, order(sku), "key")

    again = client.post("/orders", json=order(sku, quantity=2), headers={"idempotency-key": "key"})

    assert again.status_code == 409
    assert problem_of(again)["type"].endswith("idempotency-key-reused")
    assert client.get(f"/orders/{order_id}").json()["lines"][0]["quantity"] == 1


@pytest.mark.case(11, needs="compare-and-set")
def test_keys_belong_to_their_customer(world: World, sku: str) -> None:
    order_ids = {placed(world.customer(), order(sku), "the-same-key") for _ in range(2)}

    assert len(order_ids) == 2


@pytest.mark.case(10, needs="index")
def test_ones_orders_are_listed_newest_first_in_pages(world: World, sku: str) -> None:
    client = world.customer()
    order_ids = [placed(client, order(sku)) for _ in range(5)]

    listed: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/orders", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["orders"]) <= 2
        listed += [each["order_id"] for each in page["orders"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert listed == order_ids[::-1]
    assert client.get("/orders", params={"cursor": "nonsense"}).status_code == 400


def problem_of(answer: Any) -> dict[str, Any]:
    """The problem document of an answer (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return problem
