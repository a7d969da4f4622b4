"""Whatever a client sends, the API answers with a status that says whose mistake it is, in JSON, and never with a 500;
and an order that it accepts is there, with the total that its lines make."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orderflow.api import Api
from orderflow.driver import run
from orderflow.http import Request
from orderflow.keys import safe_key
from properties.examples import JSON, TEXTS
from unit.support import Lab
from unit.web import PRICES, Answer, read

skus = st.sampled_from([*PRICES, "UNKNOWN", "cup", "", "A" * 65]) | TEXTS
orders = st.fixed_dictionaries(
    {
        "lines": st.lists(
            st.fixed_dictionaries({"sku": skus, "quantity": st.integers(-1, 1_000_001) | JSON}), max_size=3
        )
        | JSON,
        "payment_token": TEXTS | JSON,
    },
    optional={"total": st.integers(-1, 10**13) | JSON, "more": JSON},
)
good = st.lists(
    st.fixed_dictionaries({"sku": st.sampled_from(sorted(PRICES)), "quantity": st.integers(1, 1_000_000)}),
    min_size=1,
    max_size=4,
)
customers = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "address": st.fixed_dictionaries(
            {name: TEXTS | st.sampled_from(["DE", "10115"]) for name in ("street", "city", "postcode", "country")}
        )
        | JSON,
    },
    optional={"email": TEXTS | JSON, "sms": TEXTS | JSON, "push": TEXTS | JSON, "more": JSON},
)
bodies = (orders | customers | JSON).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
paths = st.sampled_from(["/orders", "/orders/", "/orders/o-1", "/orders/o-1/cancel", "/customers/me", "/health", "/"])
headers = st.fixed_dictionaries(
    {},
    optional={
        "idempotency-key": TEXTS | st.just("k" * 201),
        "traceparent": TEXTS | st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
        "content-type": TEXTS,
    },
)
queries = st.fixed_dictionaries(
    {},
    optional={
        "limit": TEXTS | st.integers(-1, 200).map(str),
        "cursor": TEXTS | st.sampled_from(["e30=", "W10=", "WyJhIiwgImIiXQ==", "bnVsbA==", "x"]),
    },
)
requests = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", ""]),
    path=paths | TEXTS.map("/orders/{}".format) | TEXTS,
    query=queries,
    headers=headers,
    body=bodies,
)


class Desk:
    """An API whose customer is known: tokens have tests of their own."""

    def __init__(self, customer: str) -> None:
        self.lab = Lab.make()
        for sku, unit_price in PRICES.items():
            state = {"sku": sku, "name": sku, "unit_price": unit_price, "currency": "EUR"}
            self.lab.store.insert("catalogue", safe_key(sku), {"rev": 1, "state": state})
        self._customer = customer
        self._api = Api(self.lab.shell, self)  # type: ignore[arg-type]  # its own token verifier

    def subject(self, _authorization: str | None) -> str:
        return self._customer

    def ask(self, request: Request) -> Answer:
        """Answer a request, as the OpenAPI document has it; a slash too many is nobody's mistake."""
        path = "/" + "/".join(part for part in request.path.split("/") if part)
        return read(replace(request, path=path), run(self._api.respond(request), self.lab.ports))


@given(st.lists(requests, max_size=4), TEXTS.filter(bool))
@settings(max_examples=120)
def test_whatever_is_asked_the_answer_says_whose_mistake_it_is(asked: list[Request], customer: str) -> None:
    desk = Desk(customer)
    for request in asked:
        answer = desk.ask(request)
        assert answer.status < 500, answer.body
        if answer.status == 202 and request.method == "POST" and request.path.strip("/") == "orders":
            assert desk.ask(Request("GET", answer.headers["location"])).body["status"] == "pending"


@given(good, st.none() | TEXTS.filter(bool))
def test_an_order_that_is_accepted_costs_what_its_lines_cost(lines: list[dict[str, Any]], key: str | None) -> None:
    desk = Desk("zoe")
    headers = {} if key is None else {"idempotency-key": key}
    request = Request("POST", "/orders", {}, headers, json.dumps({"lines": lines, "payment_token": "t"}).encode())
    answer, again = desk.ask(request), desk.ask(request)
    total = sum(line["quantity"] * PRICES[line["sku"]] for line in lines)
    assert (answer.status, answer.body["total"]) == (202, total)
    assert (answer.headers["location"] == again.headers["location"]) == (key is not None)
    shown = desk.ask(Request("GET", answer.headers["location"])).body
    assert [(line["sku"], line["quantity"]) for line in shown["lines"]] == [
        (line["sku"], line["quantity"]) for line in lines
    ]
    listed = desk.ask(Request("GET", "/orders")).body["orders"]
    assert len(listed) == (1 if key is not None else 2)
