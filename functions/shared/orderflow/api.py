"""The HTTP API, framework-free: a request in, a response out, the same on every cloud.

Routes: ``POST /orders``, ``GET /orders``, ``GET /orders/{id}``, ``POST /orders/{id}/cancel``, ``GET|PUT
/customers/me``, ``GET /openapi.json``, ``GET /health``, and where Stripe is heard ``POST /webhooks/stripe``. Errors are
RFC 9457 problem documents. One sees one's own orders only: another's is not found."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orderflow import log
from orderflow.auth import KeysUnavailable, TokenVerifier, Unauthenticated
from orderflow.envelope import canonical, derived_id, first_error, rfc3339, valid_trace
from orderflow.events import Id, Line, Quantity, Sku
from orderflow.http import Request, Response, route
from orderflow.keys import safe_key
from orderflow.ports import Conflict, Page, Stored, Unavailable
from orderflow.processing import Shell
from orderflow.rates import Rates
from orderflow.record import Cause, Record, envelopes, load
from orderflow.redact import said, words
from orderflow.services.order import SERVICE, Change, Order, cancel, due_shard, placed, tier_of
from orderflow.steps import Get, Put, Query, Steps

CUSTOMERS = "customers"
CATALOGUE = "catalogue"
M = TypeVar("M", bound=BaseModel)

Reply = tuple[int, Any, dict[str, str]]
"""Status, body as JSON, further headers."""
Handler = Callable[[str, Request, list[str]], Steps[Reply]]
"""(customer id, request, path parts) -> reply."""

PAGE = 20
LARGEST_PAGE = 100
LARGEST_TOTAL = 10**12
_MOST_PRICES = 1_000
"""Prices that a process remembers; one more, and it begins anew."""


class Problem(Exception):
    """An error that the caller is told, as RFC 9457 has it; ``more`` are further members of the document."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.more = more


class LineRequest(BaseModel):
    """A line that a customer asks for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sku: Sku
    quantity: Quantity


class OrderRequest(BaseModel):
    """The body of ``POST /orders``. ``total`` (minor units), where given, must be what the service computes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    lines: Annotated[list[LineRequest], Field(min_length=1)]
    payment_token: Id
    total: Annotated[int, Field(ge=0)] | None = None


class Address(BaseModel):
    """Where to ship; ``country`` is an ISO 3166 code, ``state`` the part of an ISO 3166-2 code after it, which carriers
    of some countries want."""

    model_config = ConfigDict(extra="forbid")

    street: Annotated[str, Field(min_length=1, max_length=200)]
    city: Annotated[str, Field(min_length=1, max_length=100)]
    postcode: Annotated[str, Field(min_length=1, max_length=20)]
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    state: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,3}$")] | None = None


class Customer(BaseModel):
    """The body of ``PUT /customers/me``, and all personal data there is: events carry the customer's id only."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=200)]
    address: Address
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = None
    sms: Annotated[str, Field(pattern=r"^\+[0-9]{6,15}$")] | None = None
    push: Annotated[str, Field(min_length=1, max_length=500)] | None = None


class Api:
    """The API of one process; it keeps the prices that it has read for a while. ``webhook``: whether the gateway may
    tell things by itself."""

    def __init__(self, shell: Shell, verifier: TokenVerifier, *, webhook: bool = False) -> None:
        self._shell = shell
        self._settings = shell.settings
        self._verifier = verifier
        self._webhook = webhook
        self._rates = Rates(shell.settings, shell.clock)
        self._prices: dict[str, tuple[float, dict[str, Any]]] = {}

    def respond(self, request: Request) -> Steps[Response]:
        """Answer a request; whatever it holds, this does not raise."""
        response = yield from self._answer(request)
        _log(request, response)
        return response

    def _answer(self, request: Request) -> Steps[Response]:
        try:
            status, body, headers = yield from self._route(request)
        except Problem as problem:
            return _problem(problem)
        except (Unavailable, KeysUnavailable) as error:
            log.write("ERROR", "api", path=route(request.path), reason=said(error))
            return _problem(Problem(503, "unavailable", "try again in a moment"))
        except Exception as error:
            log.write("ERROR", "api", path=route(request.path), reason=said(error))
            return _problem(Problem(500, "internal", "the request failed; it is safe to send it again"))
        return _json(status, body, headers)

    def _route(self, request: Request) -> Steps[Reply]:
        if len(request.body) > self._settings.max_body:
            raise Problem(413, "too-large", f"the body may have {self._settings.max_body} bytes at most")
        parts = [part for part in request.path.split("/") if part]
        match request.method, parts:
            case "GET", ["health"]:
                return 200, {"status": "ok"}, {}
            case "GET", ["openapi.json"]:
                from orderflow.openapi import document

                return 200, document(), {}
            case _, ["health"] | ["openapi.json"]:
                raise _not_allowed(["GET"])
            case "POST", ["webhooks", "stripe"] if self._webhook:
                from orderflow.webhooks import hear

                return (yield from hear(self._shell, request))
            case _, ["webhooks", "stripe"] if self._webhook:
                raise _not_allowed(["POST"])
        handler = self._handler(request.method, parts)
        customer = self._customer(request)
        if request.method != "GET" and (wait := (yield from self._rates.wait(customer))):
            raise Problem(
                429, "too-many-requests", "wait before the next change", {"retry-after": str(math.ceil(wait))}
            )
        return (yield from handler(customer, request, parts))

    def _handler(self, method: str, parts: list[str]) -> Handler:
        allowed: dict[str, Handler]
        match parts:
            case ["orders"]:
                allowed = {"POST": self._place, "GET": self._list}
            case ["orders", _]:
                allowed = {"GET": self._show}
            case ["orders", _, "cancel"]:
                allowed = {"POST": self._cancel}
            case ["customers", "me"]:
                allowed = {"GET": self._show_customer, "PUT": self._save_customer}
            case _:
                raise Problem(404, "not-found", "there is nothing here; see /openapi.json")
        if method not in allowed:
            raise _not_allowed(allowed)
        return allowed[method]

    def _customer(self, request: Request) -> str:
        try:
            return self._verifier.subject(request.headers.get("authorization"))
        except Unauthenticated as error:
            raise Problem(401, "unauthenticated", str(error), {"www-authenticate": "Bearer"}) from None

    def _place(self, customer: str, request: Request, _parts: list[str]) -> Steps[Reply]:
        wanted = _parse(OrderRequest, request)
        if len(wanted.lines) > self._settings.max_lines:
            raise Problem(
                422,
                "too-many-lines",
                f"{len(wanted.lines)} lines; an order may have {self._settings.max_lines} at most",
            )
        order_id, digest = self._identify(customer, request, wanted)
        key = safe_key(order_id)
        # Without a key of the client's the id is new: nothing can be there.
        repeatable = "idempotency-key" in request.headers
        stored: Stored | None = (yield Get(SERVICE.collection, key)) if repeatable else None
        if stored is None:
            order = yield from self._price(order_id, customer, wanted)
            record = self._new(order, digest, request)
            try:
                record = yield from self._shell.commit(SERVICE, key, record)
            except Conflict:
                stored = yield Get(SERVICE.collection, key)
                if stored is None:
                    raise Unavailable("the store refused the order and does not have it") from None
        if stored is not None:
            record = load(SERVICE, stored)
            if record.absorbed[f"{order_id}.place"][0] != digest:
                raise Problem(
                    409, "idempotency-key-reused", "this Idempotency-Key was used for another order", order_id=order_id
                )
        yield from self._publish(record)
        assert record.state is not None
        return 202, _summary(record.state), {"location": f"/orders/{order_id}"}

    def _identify(self, customer: str, request: Request, wanted: OrderRequest) -> tuple[str, str]:
        """The order's id, made from the customer's idempotency key if there is one, and a hash of what is ordered."""
        idempotency_key = request.headers.get("idempotency-key")
        if idempotency_key is None:
            order_id = str(UUID(int=self._shell.random.getrandbits(128), version=4))
        elif 1 <= len(idempotency_key) <= 200:
            order_id = derived_id("order", safe_key(customer), idempotency_key)
        else:
            raise Problem(400, "bad-idempotency-key", "an Idempotency-Key has 1 to 200 characters")
        return order_id, derived_id(canonical(wanted.model_dump(exclude_none=True)).decode())

    def _price(self, order_id: str, customer: str, wanted: OrderRequest) -> Steps[Order]:
        """The order with the catalogue's prices. Raises `Problem` where the catalogue or the client's total says no."""
        lines: list[Line] = []
        currencies: set[str] = set()
        unknown: list[str] = []
        for line in wanted.lines:
            price = yield from self._look_up(line.sku)
            if price is None:
                unknown.append(line.sku)
                continue
            currencies.add(price["currency"])
            lines.append(Line(sku=line.sku, quantity=line.quantity, unit_price=price["unit_price"]))
        if unknown:
            raise Problem(422, "unknown-sku", f"not in the catalogue: {', '.join(unknown[:10])}", skus=unknown)
        if len(currencies) > 1:
            raise Problem(422, "mixed-currencies", f"one order, one currency; these are in {sorted(currencies)}")
        total = sum(line.quantity * line.unit_price for line in lines)
        if total > LARGEST_TOTAL:
            raise Problem(422, "too-expensive", f"the total is {total}; it may be {LARGEST_TOTAL} at most")
        if wanted.total is not None and wanted.total != total:
            raise Problem(
                422,
                "total-differs",
                f"the order's total is {total}, not {wanted.total}",
                expected=total,
                given=wanted.total,
            )
        now = self._shell.clock.now()
        return Order(
            order_id=order_id,
            customer_id=customer,
            lines=tuple(lines),
            total=total,
            currency=currencies.pop(),
            tier=tier_of(total, self._settings),
            payment_token=wanted.payment_token,
            placed_at=now,
            expires_at=now + self._settings.order_deadline,
            due_at=now + self._settings.sweep_after,
            due_shard=due_shard(order_id, self._settings),
            history=(Change(status="pending", at=rfc3339(now)),),
        )

    def _look_up(self, sku: str) -> Steps[dict[str, Any] | None]:
        now = self._shell.clock.now()
        read_at, price = self._prices.get(sku, (-1e9, None))
        if price is None or now - read_at > self._settings.catalogue_cache:
            stored: Stored | None = yield Get(CATALOGUE, safe_key(sku))
            if stored is None:
                return None
            price = stored.document["state"]
            if len(self._prices) >= _MOST_PRICES:
                self._prices.clear()
            self._prices[sku] = (now, price)
        return price

    def _new(self, order: Order, digest: str, request: Request) -> Record[Order]:
        cause = Cause(
            f"{order.order_id}.place", digest, order.order_id, valid_trace(request.headers.get("traceparent"))
        )
        emitted = envelopes("order", cause, (placed(order),), order.placed_at)
        nothing: Record[Order] = Record()
        return nothing.absorbing(order, cause, emitted)

    def _publish(self, record: Record[Order]) -> Steps[None]:
        """Publish everything the order ever emitted, oldest first. A broker that does not take it is not the caller's
        concern: the sweeper publishes what is stored."""
        try:
            yield from self._shell.publish(record.emitted())
        except Unavailable as error:
            log.write("WARNING", "publish left to the sweeper", reason=words(error))

    def _list(self, customer: str, request: Request, _parts: list[str]) -> Steps[Reply]:
        try:
            limit = int(request.query.get("limit", PAGE))
            if not 1 <= limit <= LARGEST_PAGE:
                raise Problem(400, "bad-page", f"limit is 1 to {LARGEST_PAGE}")
            cursor = _open_cursor(request.query.get("cursor"))
            page: Page = yield Query(
                SERVICE.collection, "customer", safe_key(customer), descending=True, limit=limit, cursor=cursor
            )
        except ValueError:
            raise Problem(400, "bad-page", "limit is a whole number; cursor is what the last page gave") from None
        orders = [Order.of(stored.document) for _, stored in page.items]
        mine = [_summary(order) for order in orders if order.customer_id == customer]
        return 200, {"orders": mine, "next_cursor": _close_cursor(page.cursor)}, {}

    def _show(self, customer: str, _request: Request, parts: list[str]) -> Steps[Reply]:
        record = yield from self._find(customer, parts[1])
        assert record.state is not None
        return 200, _detail(record.state), {}

    def _cancel(self, customer: str, _request: Request, parts: list[str]) -> Steps[Reply]:
        for _ in range(self._settings.conflict_tries):
            record = yield from self._find(customer, parts[1])
            order = record.state
            assert order is not None
            if order.status in ("confirmed", "shipped"):
                raise Problem(409, "too-late", f"the order is {order.status}", order_status=order.status)
            if order.status == "pending":
                now = self._shell.clock.now()
                cause = Cause(f"{order.order_id}.cancel", "cancel", order.order_id, record.trace)
                decision = cancel(order, "customer: cancelled on request", now)
                emitted = envelopes("order", cause, decision.emit, now)
                try:
                    record = yield from self._shell.commit(
                        SERVICE, safe_key(order.order_id), record.absorbing(decision.state, cause, emitted)
                    )
                except Conflict:
                    continue
            yield from self._publish(record)
            assert record.state is not None
            return 202, _summary(record.state), {}
        raise Problem(409, "busy", "the order is being changed; try again")

    def _find(self, customer: str, order_id: str) -> Steps[Record[Order]]:
        stored: Stored | None = yield Get(SERVICE.collection, safe_key(order_id))
        record = load(SERVICE, stored)
        if record.state is None or record.state.customer_id != customer:
            raise Problem(404, "not-found", "you have no such order")
        return record

    def _show_customer(self, customer: str, _request: Request, _parts: list[str]) -> Steps[Reply]:
        stored: Stored | None = yield Get(CUSTOMERS, safe_key(customer))
        if stored is None:
            raise Problem(404, "not-found", "nothing is known of you yet")
        return 200, stored.document["state"], {}

    def _save_customer(self, customer: str, request: Request, _parts: list[str]) -> Steps[Reply]:
        state = _parse(Customer, request).model_dump(exclude_none=True)
        for _ in range(self._settings.conflict_tries):
            stored: Stored | None = yield Get(CUSTOMERS, safe_key(customer))
            rev = stored.document["rev"] + 1 if stored else 1
            try:
                yield Put(CUSTOMERS, safe_key(customer), {"schema": 1, "rev": rev, "state": state}, stored)
            except Conflict:
                continue
            return 200, state, {}
        raise Problem(409, "busy", "your data are being changed; try again")


def _log(request: Request, response: Response) -> None:
    """The line of a request. Which order it was about is said where there is one: a caller may put anything there."""
    path = response.headers.get("location") or (request.path if response.status < 400 else "")
    parts = path.split("/")
    order_id = parts[2] if parts[1:2] == ["orders"] and len(parts) > 2 else None
    trace = valid_trace(request.headers.get("traceparent"))
    log.request(request.method, route(request.path), response.status, order_id, trace)


def _parse(model: type[M], request: Request) -> M:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        kind = error.errors(include_url=False, include_input=False, include_context=False)[0]["type"]
        status, code = (400, "malformed-json") if kind == "json_invalid" else (422, "invalid")
        raise Problem(status, code, first_error(error)) from None


def _summary(order: Order) -> dict[str, Any]:
    summary = {
        "order_id": order.order_id,
        "status": order.status,
        "closed": order.closed,
        "total": order.total,
        "currency": order.currency,
        "placed_at": rfc3339(order.placed_at),
        "links": {"self": f"/orders/{order.order_id}", "cancel": f"/orders/{order.order_id}/cancel"},
    }
    return summary if order.reason is None else {**summary, "reason": order.reason}


def _detail(order: Order) -> dict[str, Any]:
    return {
        **_summary(order),
        "tracking": order.tracking,
        "lines": [line.model_dump() for line in order.lines],
        "history": [change.model_dump(exclude_none=True) for change in order.history],
    }


def _not_allowed(methods: Iterable[str]) -> Problem:
    allowed = ", ".join(sorted(methods))
    return Problem(405, "method-not-allowed", f"allowed: {allowed}", {"allow": allowed})


def _close_cursor(cursor: str | None) -> str | None:
    return cursor and base64.urlsafe_b64encode(cursor.encode()).decode()


def _open_cursor(cursor: str | None) -> str | None:
    try:
        return cursor and base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise ValueError(cursor) from None


def _json(status: int, body: Any, headers: dict[str, str]) -> Response:
    return Response(
        status, {"content-type": "application/json", **headers}, json.dumps(body, ensure_ascii=False).encode()
    )


def _problem(problem: Problem) -> Response:
    body = {"type": f"urn:orderflow:problem:{problem.code}", "title": problem.code.replace("-", " ")}
    response = _json(problem.status, {**body, "status": problem.status, "detail": problem.detail, **problem.more}, {})
    return replace(response, headers={"content-type": "application/problem+json", **problem.headers})
