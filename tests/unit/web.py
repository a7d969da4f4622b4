"""The API as a client sees it. Every answer that a test gets is held against the OpenAPI document first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from orderflow.app import App
from orderflow.http import Request, Response
from orderflow.keys import safe_key
from orderflow.openapi import document
from orderflow.settings import Settings
from unit.issuer import AUDIENCE, Issuer
from unit.support import Lab

PRICES = {"CUP": 1_200, "POT": 4_900, "SAMOVAR": 61_000, "FREE": 0}


@dataclass
class Answer:
    """A response with its body read."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Web:
    """One process's API and a client of it."""

    lab: Lab
    issuer: Issuer
    app: App
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, lab: Lab, issuer: Issuer, **settings: Any) -> Web:
        """An API with a small catalogue."""
        known = Settings(
            issuer=issuer.url, audience=AUDIENCE, jwks_url=f"{issuer.url}/jwks.json", log_level="ERROR", **settings
        )
        for sku, price in PRICES.items():
            price_document = {
                "schema": 1,
                "rev": 1,
                "state": {"sku": sku, "name": sku, "unit_price": price, "currency": "EUR"},
            }
            lab.store.insert("catalogue", safe_key(sku), price_document)
        lab.settings = known
        return cls(lab, issuer, App(lab.ports, known))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        customer: str | None = "zoe",
        token: str | None = None,
        key: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request as a customer, with a token that is good unless another is given."""
        return read(
            (request := self.request(method, path, body, customer, token, key, query, headers)),
            self.app.respond(request),
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        customer: str | None = "zoe",
        token: str | None = None,
        key: str | None = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Request:
        """A request as a host hands it over."""
        sent = dict(headers or {})
        if token is None and customer is not None:
            if customer not in self.tokens:
                self.tokens[customer] = self.issuer.token(customer)
            token = self.tokens[customer]
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if key is not None:
            sent["idempotency-key"] = key
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return Request(method, path, query or {}, sent, data)

    def place(self, *lines: tuple[str, int], **more: Any) -> Answer:
        """Place an order."""
        options = {name: more.pop(name) for name in ("customer", "key", "token", "headers") if name in more}
        return self.call("POST", "/orders", order(*lines, **more), **options)

    def race(self, requests: Sequence[Request], schedule: Callable[[int], int]) -> list[Answer]:
        """Several requests at once: ``schedule`` says, from how many are left, whose next step is performed."""
        api = self.app._api
        running: list[list[Any]] = [[number, api.respond(request), None] for number, request in enumerate(requests)]
        answers: list[Any] = [None] * len(requests)
        while running:
            mine = running[schedule(len(running)) % len(running)]
            number, steps, answer = mine
            try:
                step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
            except StopIteration as end:
                answers[number] = read(requests[number], end.value)
                running.remove(mine)
                continue
            try:
                mine[2] = step.perform(self.lab.ports)
            except Exception as error:
                mine[2] = error
        return answers


def order(*lines: tuple[str, int], token: str = "tok_visa", **more: Any) -> dict[str, Any]:
    """The body of an order request."""
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in lines or (("CUP", 2),)]
    return {"lines": wanted, "payment_token": token, **more}


def read(request: Request, response: Response) -> Answer:
    """Read a response, and hold it against the OpenAPI document."""
    body = json.loads(response.body)
    operation = _operation(request)
    if response.status >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert body["status"] == response.status
        assert body["type"].startswith("urn:orderflow:problem:")
        assert set(body) >= {"type", "title", "status", "detail"}
        _validator("Problem").validate(body)
    else:
        assert response.headers["content-type"] == "application/json"
    if operation is not None and not (response.status == 413 and "requestBody" not in operation):
        documented = operation["responses"]
        assert str(response.status) in documented, f"{request.method} {request.path}: {response.status} {body}"
        content = documented[str(response.status)].get("content", {})
        for media_type, described in content.items():
            assert response.headers["content-type"] == media_type
            _validator(described["schema"]["$ref"].rpartition("/")[2]).validate(body)
    else:
        assert response.status in (404, 405, 413)
    return Answer(response.status, response.headers, body)


@cache
def _document() -> dict[str, Any]:
    return document()


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": _document()["components"]})


def _operation(request: Request) -> dict[str, Any] | None:
    for template, operations in _document()["paths"].items():
        if re.fullmatch(re.sub(r"\{[a-z]+\}", "[^/]+", template), request.path):
            found: dict[str, Any] | None = operations.get(request.method.lower())
            return found
    return None


def without_token(request: Request) -> Request:
    """The request of somebody who is not signed in."""
    return replace(request, headers={name: value for name, value in request.headers.items() if name != "authorization"})
