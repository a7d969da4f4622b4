"""Whatever is sent to the API of any cloud, the answer says what is wrong, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from worlds import World

pytestmark = pytest.mark.local_cloud

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
    "a thousand lines": (
        json.dumps({**GOOD, "lines": [{"sku": f"SKU-{n}", "quantity": 1} for n in range(1000)]}).encode(),
        422,
        "too-many-lines",
    ),
    "a megabyte": (json.dumps({**GOOD, "payment_token": "x" * 1_000_000}).encode(), 413, "too-large"),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_bad_order_is_refused_with_a_problem_document(world: World, case: str) -> None:
    body, status, code = BODIES[case]
    client = world.client("somebody")

    answer = client.post("/orders", content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, problem_of(answer)["type"]) == (status, f"urn:orderflow:problem:{code}")
    assert client.get("/orders").json()["orders"] == []


def test_nobody_is_let_in_without_a_good_token(world: World) -> None:
    issuer = world.fleet.issuer
    tokens = {
        "none": None,
        "no token at all": "Bearer",
        "nonsense": "Bearer nonsense",
        "another audience": f"Bearer {issuer.token('eve', audience='another-api')}",
        "expired": f"Bearer {issuer.token('eve', audience='orderflow-api', ttl=-60)}",
        "altered": f"Bearer {issuer.token('eve', audience='orderflow-api')[:-4]}AAAA",
    }
    for case, token in tokens.items():
        answer = world.anonymous({"authorization": token} if token else {}).get("/orders")
        assert (case, answer.status_code) == (case, 401)
        assert token is None or token not in answer.text
        problem_of(answer)


def test_a_token_signed_with_the_issuers_other_key_is_good(world: World) -> None:
    token = world.fleet.issuer.token("somebody", audience="orderflow-api", key=1)

    assert world.anonymous({"authorization": f"Bearer {token}"}).get("/orders").status_code == 200


def test_one_sees_ones_own_orders_only(world: World) -> None:
    ann, eve, sku = world.customer(), world.customer(), world.stocked(5)
    order_id = ann.post("/orders", json={**GOOD, "lines": [{"sku": sku, "quantity": 1}]}).json()["order_id"]

    assert eve.get(f"/orders/{order_id}").status_code == 404
    assert eve.post(f"/orders/{order_id}/cancel").status_code == 404
    assert eve.get("/orders").json()["orders"] == []
    assert [order["order_id"] for order in ann.get("/orders").json()["orders"]] == [order_id]


def problem_of(answer: Any) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return problem
