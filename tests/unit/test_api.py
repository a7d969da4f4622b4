"""The HTTP API: what a client may send, and what it is told."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from orderflow import api
from orderflow.openapi import document
from orderflow.ports import Unavailable
from unit.issuer import Issuer
from unit.support import CUSTOMER, Lab, done
from unit.web import Web, order


@pytest.fixture
def web(lab: Lab, issuer: Issuer) -> Web:
    """An API with a small catalogue."""
    return Web.make(lab, issuer)


class Deaf:
    """A webhook that takes everything for no matter of ours."""

    def notice(self, **_: Any) -> dict[str, Any]:
        return {"status": "ignored"}


def code(answer: Any) -> str:
    """The code of a problem."""
    return str(answer.body["type"]).removeprefix("urn:orderflow:problem:")


# Placing


def test_an_order_is_accepted_priced_stored_and_published(web: Web) -> None:
    answer = web.place(("CUP", 2), ("POT", 1))
    assert answer.status == 202
    assert answer.headers["location"] == f"/orders/{answer.body['order_id']}"
    assert answer.body["status"] == "pending"
    assert (answer.body["total"], answer.body["currency"]) == (7_300, "EUR")
    [placed] = web.lab.published()
    assert (placed.kind, placed.subject) == ("OrderPlaced", answer.body["order_id"])
    assert placed.data["total"] == 7_300
    assert placed.data["customer_id"] == "zoe"
    assert placed.causationid is None, "an API call is no event"


def test_an_order_can_be_followed_with_its_history(web: Web) -> None:
    placed = web.place(("CUP", 2))
    shown = web.call("GET", placed.headers["location"])
    assert shown.status == 200
    assert shown.body["lines"] == [{"sku": "CUP", "quantity": 2, "unit_price": 1_200}]
    assert shown.body["history"] == [{"status": "pending", "at": "2027-01-15T08:00:00.000Z"}]
    assert shown.body["tracking"] is None


def test_an_order_goes_through_to_its_parcel(web: Web) -> None:
    lab = web.lab
    web.call("PUT", "/customers/me", CUSTOMER)
    lab.stock("CUP", 20)
    placed = web.place(("CUP", 2))
    lab.run_to_rest()
    shown = web.call("GET", placed.headers["location"])
    assert (shown.body["status"], shown.body["closed"]) == ("shipped", True)
    assert shown.body["tracking"].startswith("TRK")
    assert [entry["status"] for entry in shown.body["history"]] == ["pending", "confirmed", "shipped"]


def test_every_order_without_a_key_is_another_one(web: Web) -> None:
    assert len({web.place().body["order_id"] for _ in range(20)}) == 20


def test_a_price_that_was_read_is_trusted_for_a_while(web: Web) -> None:
    web.place(("CUP", 1))
    web.lab.store.overwrite("catalogue", "CUP", unit_price=9_999)
    assert web.place(("CUP", 1)).body["total"] == 1_200
    web.lab.clock.time += web.lab.settings.catalogue_cache + 1
    assert web.place(("CUP", 1)).body["total"] == 9_999


def test_a_process_does_not_remember_prices_without_end(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_MOST_PRICES", 1)
    web.place(("CUP", 1))
    web.place(("POT", 1))
    web.lab.store.overwrite("catalogue", "CUP", unit_price=9_999)
    assert web.place(("CUP", 1)).body["total"] == 9_999


def test_the_price_of_an_order_stays_what_it_was_when_it_was_placed(web: Web) -> None:
    first = web.place(("CUP", 1), key="k")
    web.lab.store.overwrite("catalogue", "CUP", unit_price=9_999)
    web.lab.clock.time += 3_600
    assert web.place(("CUP", 1), key="k").body["total"] == first.body["total"]


@pytest.mark.parametrize("total", [2_400, None])
def test_a_total_that_is_right_or_not_given_is_accepted(web: Web, total: int | None) -> None:
    assert web.place(("CUP", 2), total=total).status == 202


@pytest.mark.parametrize("total", [2_399, 2_401, 0])
def test_a_total_that_differs_is_refused_with_both_figures(web: Web, total: int) -> None:
    answer = web.place(("CUP", 2), total=total)
    assert (answer.status, code(answer)) == (422, "total-differs")
    assert (answer.body["expected"], answer.body["given"]) == (2_400, total)
    assert "2400" in answer.body["detail"]
    assert str(total) in answer.body["detail"]
    assert web.lab.published() == []


def test_what_is_not_in_the_catalogue_is_named(web: Web) -> None:
    answer = web.place(("CUP", 1), ("NO-SUCH", 1), ("NOR-THIS", 2))
    assert (answer.status, code(answer)) == (422, "unknown-sku")
    assert answer.body["skus"] == ["NO-SUCH", "NOR-THIS"]


def test_a_sku_that_arrives_later_can_be_ordered_at_once(web: Web) -> None:
    assert web.place(("NEW", 1)).status == 422
    web.lab.load_file("catalogue/new.csv", b"sku,name,unit_price,currency\nNEW,New,5,EUR\n")
    assert web.place(("NEW", 1)).status == 202


def test_one_order_has_one_currency(web: Web) -> None:
    web.lab.load_file("catalogue/yen.csv", b"sku,name,unit_price,currency\nYEN,Yen,5,JPY\n")
    answer = web.place(("CUP", 1), ("YEN", 1))
    assert (answer.status, code(answer)) == (422, "mixed-currencies")


def test_a_hundred_lines_are_an_order_and_more_are_not(web: Web) -> None:
    assert web.place(*[("CUP", 1)] * 100).status == 202
    answer = web.place(*[("CUP", 1)] * 101)
    assert (answer.status, code(answer)) == (422, "too-many-lines")
    assert "101" in answer.body["detail"]
    assert "100" in answer.body["detail"]


def test_an_order_of_a_thousand_lines_is_refused_in_words(web: Web) -> None:
    answer = web.place(*[(f"SKU-{number}", 1) for number in range(1_000)])
    assert (answer.status, code(answer)) == (422, "too-many-lines")


@pytest.mark.parametrize("quantity", [0, -1, -(10**30), 1_000_001, 10**30, 1.5, "2.5", None, "many", [], True])
def test_a_quantity_that_is_none_is_refused_and_its_place_named(web: Web, quantity: Any) -> None:
    answer = web.call("POST", "/orders", order(("CUP", 1), ("CUP", quantity)))
    assert (answer.status, code(answer)) == (422, "invalid")
    assert answer.body["detail"].startswith("lines.1.quantity: ")


def test_a_very_large_order_is_accepted_up_to_the_largest_total(web: Web) -> None:
    web.lab.load_file("catalogue/gold.csv", b"sku,name,unit_price,currency\nGOLD,Gold,100000000,EUR\n")
    assert web.place(("GOLD", 10_000)).body["total"] == 10**12
    answer = web.place(("GOLD", 10_001))
    assert (answer.status, code(answer)) == (422, "too-expensive")


def test_what_costs_nothing_can_be_ordered(web: Web) -> None:
    assert web.place(("FREE", 1), total=0).body["total"] == 0


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "lines"),
        ({"lines": []}, "lines"),
        ({"lines": "CUP"}, "lines"),
        ({"lines": [{"sku": "CUP"}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "cup", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "", "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "X" * 65, "quantity": 1}]}, "lines.0.sku"),
        ({"lines": [{"sku": "CUP", "quantity": 1, "price": 1}]}, "lines.0.price"),
        ({"lines": [{"sku": "CUP", "quantity": 1}]}, "payment_token"),
        ({"lines": [{"sku": "CUP", "quantity": 1}], "payment_token": ""}, "payment_token"),
        ({"lines": [{"sku": "CUP", "quantity": 1}], "payment_token": "t", "total": -1}, "total"),
        ({"lines": [{"sku": "CUP", "quantity": 1}], "payment_token": "t", "customer_id": "eve"}, "customer_id"),
        ([], "body"),
        (None, "body"),
    ],
)
def test_an_invalid_body_is_refused_and_its_place_named(web: Web, body: Any, place: str) -> None:
    answer = web.call("POST", "/orders", json.dumps(body).encode())
    assert (answer.status, code(answer)) == (422, "invalid")
    assert answer.body["detail"].startswith(f"{place}: ")


MALFORMED = [b"", b"{", b"\xff\xfe", b"{'lines': []}", b"null x", json.dumps(order()).encode("utf-16"), b"[" * 10_000]


@pytest.mark.parametrize("body", MALFORMED, ids=repr)
@pytest.mark.parametrize(("method", "path"), [("POST", "/orders"), ("PUT", "/customers/me")])
def test_malformed_json_is_a_bad_request(web: Web, method: str, path: str, body: bytes) -> None:
    answer = web.call(method, path, body)
    assert (answer.status, code(answer)) == (400, "malformed-json")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/orders"), ("PUT", "/customers/me"), ("GET", "/orders"), ("POST", "/nowhere")]
)
def test_a_megabyte_is_too_large_whoever_sends_it(web: Web, method: str, path: str) -> None:
    for customer in ("zoe", None):
        answer = web.call(method, path, b"x" * 1_000_000, customer=customer)
        assert (answer.status, code(answer)) == (413, "too-large")


def test_an_error_never_repeats_what_was_sent(web: Web) -> None:
    answer = web.call("PUT", "/customers/me", {**CUSTOMER, "email": "secret secret", "street": "secret"})
    assert answer.status == 422
    assert "secret" not in json.dumps(answer.body)


# Idempotency


def test_the_same_key_and_body_are_the_same_order(web: Web) -> None:
    first, second = web.place(("CUP", 2), key="k-1"), web.place(("CUP", 2), key="k-1")
    assert (first.status, first.body) == (second.status, second.body)
    assert len(list(web.lab.store.all("orders"))) == 1
    assert len({each.to_bytes() for each in web.lab.published()}) == 1


def test_the_same_key_and_another_spelling_of_the_body_are_the_same_order(web: Web) -> None:
    first = web.place(("CUP", 2), key="k-1")
    other = b' { "payment_token":"tok_visa", "lines":[ {"quantity": 2, "sku": "CUP"} ], "total": null } '
    assert web.call("POST", "/orders", other, key="k-1").body == first.body


@pytest.mark.parametrize("other", [order(("CUP", 3)), order(("CUP", 2), token="other"), order(("CUP", 2), total=2_400)])
def test_the_same_key_and_another_body_are_refused_and_nothing_changes(web: Web, other: dict[str, Any]) -> None:
    first = web.place(("CUP", 2), key="k-1")
    answer = web.call("POST", "/orders", other, key="k-1")
    assert (answer.status, code(answer)) == (409, "idempotency-key-reused")
    assert answer.body["order_id"] == first.body["order_id"]
    assert len(web.lab.published()) == 1


def test_the_same_key_of_another_customer_is_another_order(web: Web) -> None:
    mine, yours = web.place(key="k-1"), web.place(key="k-1", customer="eve")
    assert mine.body["order_id"] != yours.body["order_id"]


def test_a_key_cannot_be_made_to_meet_another_customers(web: Web) -> None:
    """Whatever separates customer and key inside, a customer's id and a key that contain it make their own order."""
    first = web.place(key="b\x1fc", customer="a")
    second = web.place(key="c", customer="a\x1fb")
    assert second.status == 202
    assert first.body["order_id"] != second.body["order_id"]


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_has_1_to_200_characters(web: Web, key: str) -> None:
    answer = web.place(key=key)
    assert (answer.status, code(answer)) == (400, "bad-idempotency-key")


def test_a_key_may_be_any_text(web: Web) -> None:
    keys = ["ö", "\U0001f600" * 200, "a b", "a/b?c#d", "=41", "A", "a", "'; drop table orders"]
    assert len({web.place(key=key).body["order_id"] for key in keys}) == len(keys)


@pytest.mark.parametrize("same", [True, False])
def test_of_two_requests_at_once_under_one_key_one_makes_the_order(web: Web, same: bool) -> None:
    """In every way in which their steps can fall between each other."""
    seen = set()
    for number, bits in enumerate(itertools.product((0, 1), repeat=6)):
        bodies = [order(("CUP", 1)), order(("CUP", 1 if same else 2))]
        requests = [web.request("POST", "/orders", body, key=f"k-{number}") for body in bodies]
        turns = iter(bits)
        answers = web.race(requests, lambda _left, turns=turns: next(turns, 0))  # type: ignore[misc]
        statuses = sorted(answer.status for answer in answers)
        assert statuses == ([202, 202] if same else [202, 409])
        assert len({answer.body["order_id"] for answer in answers}) == 1
        seen.add(tuple(answer.status for answer in answers))
    assert len(list(web.lab.store.all("orders"))) == 64
    assert len({each.id for each in web.lab.published()}) == 64
    assert len({each.to_bytes() for each in web.lab.published()}) == 64
    assert same or seen == {(202, 409), (409, 202)}


# Publishing


def test_an_order_is_accepted_also_where_the_broker_is_down_and_the_sweeper_publishes_it(web: Web) -> None:
    web.lab.broker.refuses = lambda _: Unavailable("throttled")
    assert web.place().status == 202
    assert web.lab.published() == []
    web.lab.broker.refuses = None
    web.lab.clock.time += web.lab.settings.sweep_after
    assert web.lab.sweep().republished == 1
    assert [each.kind for each in web.lab.published()] == ["OrderPlaced"]


def test_a_trace_of_the_client_goes_on_in_the_events(web: Web) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    web.place(headers={"traceparent": parent})
    web.place(headers={"traceparent": "ff-nonsense"})
    traces = [each.traceparent for each in web.lab.published()]
    assert traces[0] is not None
    assert traces[1] is not None
    assert traces[0].split("-")[1] == parent.split("-")[1]
    assert "nonsense" not in traces[1]


# Listing


def test_a_list_has_the_newest_first_page_by_page(web: Web) -> None:
    placed = []
    for _ in range(7):
        placed.append(web.place().body["order_id"])
        web.lab.clock.time += 1
    web.place(customer="eve")
    found: list[str] = []
    query = {"limit": "3"}
    sizes = []
    while True:
        page = web.call("GET", "/orders", query=query)
        found += [each["order_id"] for each in page.body["orders"]]
        sizes.append(len(page.body["orders"]))
        if page.body["next_cursor"] is None:
            break
        query = {"limit": "3", "cursor": page.body["next_cursor"]}
    assert found == placed[::-1]
    assert sizes == [3, 3, 1]


def test_a_list_has_twenty_orders_unless_more_are_asked_for(web: Web) -> None:
    for _ in range(25):
        web.place()
    assert len(web.call("GET", "/orders").body["orders"]) == 20
    assert len(web.call("GET", "/orders", query={"limit": "100"}).body["orders"]) == 25


def test_somebody_without_orders_has_an_empty_list(web: Web) -> None:
    web.place()
    assert web.call("GET", "/orders", customer="eve").body == {"orders": [], "next_cursor": None}


@pytest.mark.parametrize("limit", ["0", "-1", "101", "ten", "", "1.5", "9" * 5_000])
def test_a_limit_that_is_none_is_a_bad_request(web: Web, limit: str) -> None:
    answer = web.call("GET", "/orders", query={"limit": limit})
    assert (answer.status, code(answer)) == (400, "bad-page")


@pytest.mark.parametrize("cursor", ["x", "%", "Zm9v", "NQ==", "e30=", "W10=", "WzEsMl0=", "WyJhIl0=", "/////w==", "ö"])
def test_a_cursor_that_is_none_is_a_bad_request(web: Web, cursor: str) -> None:
    web.place()
    answer = web.call("GET", "/orders", query={"cursor": cursor})
    assert (answer.status, code(answer)) == (400, "bad-page")


def test_an_order_of_somebody_else_is_not_listed_wherever_the_index_has_it(web: Web) -> None:
    """An adapter's cursor might lead into another partition."""
    mine = web.place().body["order_id"]
    theirs = web.place(customer="eve").body["order_id"]
    entry = {"customer": ["zoe", "2027-01-15T09.x"]}
    web.lab.store.amend("orders", theirs, lambda document: document.update(index=entry))
    assert [each["order_id"] for each in web.call("GET", "/orders").body["orders"]] == [mine]


def test_the_cursor_of_somebody_else_shows_nothing_of_theirs(web: Web) -> None:
    for _ in range(3):
        web.place()
        web.lab.clock.time += 1
    cursor = web.call("GET", "/orders", query={"limit": "1"}).body["next_cursor"]
    mine = web.place(customer="eve").body["order_id"]
    shown = web.call("GET", "/orders", customer="eve", query={"cursor": cursor}).body["orders"]
    assert {each["order_id"] for each in shown} <= {mine}


# Cancelling


def test_a_pending_order_can_be_cancelled(web: Web) -> None:
    path = web.place().headers["location"]
    answer = web.call("POST", f"{path}/cancel")
    assert (answer.status, answer.body["status"], answer.body["closed"]) == (202, "cancelled", False)
    assert answer.body["reason"] == "customer: cancelled on request"
    assert [each.kind for each in web.lab.published()][-1] == "OrderCancelled"


def test_cancelling_twice_is_cancelling_once(web: Web) -> None:
    path = web.place().headers["location"]
    first, second = web.call("POST", f"{path}/cancel"), web.call("POST", f"{path}/cancel")
    assert (first.status, first.body) == (second.status, second.body)
    cancellations = [each for each in web.lab.published() if each.kind == "OrderCancelled"]
    assert len({each.to_bytes() for each in cancellations}) == 1


def test_a_cancelled_order_comes_to_rest_with_its_money_and_stock_given_back(web: Web) -> None:
    lab = web.lab
    lab.stock("CUP", 20)
    path = web.place(("CUP", 2)).headers["location"]
    web.call("POST", f"{path}/cancel")
    lab.run_to_rest()
    shown = web.call("GET", path).body
    assert (shown["status"], shown["closed"]) == ("cancelled", True)
    assert sum(document["state"]["available"] for _, document in lab.store.all("stock")) == 20


@pytest.mark.parametrize("status", ["confirmed", "shipped"])
def test_what_is_confirmed_cannot_be_cancelled_any_more(web: Web, status: str) -> None:
    answer = web.place()
    web.lab.store.overwrite("orders", answer.body["order_id"], status=status)
    refused = web.call("POST", f"{answer.headers['location']}/cancel")
    assert (refused.status, code(refused), refused.body["order_status"]) == (409, "too-late", status)
    assert web.call("GET", answer.headers["location"]).body["status"] == status


def test_a_cancellation_and_a_confirmation_at_once_are_one_of_both(web: Web) -> None:
    from orderflow.events import InventoryReserved, PaymentCompleted
    from unit.support import enveloped

    answer = web.place()
    order_id = answer.body["order_id"]
    of = {"order_id": order_id, "customer_id": "zoe"}
    paid = PaymentCompleted(**of, charge_id="c", amount=1, currency="EUR")
    done(web.lab.deliver("order", enveloped(InventoryReserved(**of, lines=()), "e-1")))
    meddled: list[bool] = []

    def confirm_first(method: str, collection: str, _key: str) -> None:
        if method == "put" and collection == "orders" and not meddled:
            meddled.append(True)
            assert done(web.lab.deliver("order", enveloped(paid, "e-2"))) == "handled"

    web.lab.store.before = confirm_first
    refused = web.call("POST", f"{answer.headers['location']}/cancel")
    assert (refused.status, code(refused)) == (409, "too-late")
    assert [each.kind for each in web.lab.published()] == ["OrderPlaced", "OrderConfirmed"]


# Whose is it


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/cancel")])
def test_somebody_elses_order_is_not_there(web: Web, method: str, suffix: str) -> None:
    path = web.place().headers["location"]
    theirs = web.call(method, path + suffix, customer="eve")
    nobodys = web.call(method, f"/orders/no-such-order{suffix}", customer="eve")
    assert (theirs.status, theirs.body) == (404, nobodys.body), "one cannot even learn that it exists"
    assert web.call("GET", path).body["status"] == "pending"


@pytest.mark.parametrize(
    "customer", ["Zoë Łódź", "千代 \U0001f600", "a/b c?d=e&f", "..", "=41", "x" * 200, "'\"\\\n\u2028"]
)
def test_a_customers_id_may_be_any_text(web: Web, customer: str) -> None:
    placed = web.place(customer=customer)
    assert placed.status == 202
    shown = web.call("GET", "/orders", customer=customer).body["orders"]
    assert [each["order_id"] for each in shown] == [placed.body["order_id"]]
    assert web.lab.published()[0].data["customer_id"] == customer
    assert web.call("PUT", "/customers/me", CUSTOMER, customer=customer).status == 200
    assert web.call("GET", "/customers/me", customer=customer).body["name"] == "Zoë Ångström"


@pytest.mark.parametrize("order_id", ["x" * 10_000, "ö", "\udc80", "..", "%2e%2e", "a b", "\x00", "𝄞"])
def test_an_order_id_may_be_anything_and_is_not_found(web: Web, order_id: str) -> None:
    assert web.call("GET", f"/orders/{order_id}").status == 404


# Customers


def test_contact_data_are_saved_shown_and_replaced(web: Web) -> None:
    assert web.call("GET", "/customers/me").status == 404
    assert web.call("PUT", "/customers/me", CUSTOMER).body == CUSTOMER
    new = {"name": "千代 \U0001f600", "address": {**CUSTOMER["address"], "city": "京都", "country": "JP"}}
    assert web.call("PUT", "/customers/me", new).status == 200
    assert web.call("GET", "/customers/me").body == new
    american = {"name": "Zoe", "address": {**CUSTOMER["address"], "state": "IL", "country": "US"}}
    assert web.call("PUT", "/customers/me", american).body == american
    assert web.call("GET", "/customers/me", customer="eve").status == 404


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@c"}, "email"),
        ({"email": "a" * 250 + "@b.de"}, "email"),
        ({"sms": "0301234"}, "sms"),
        ({"sms": "+49 30 1234"}, "sms"),
        ({"push": ""}, "push"),
        ({"address": None}, "address"),
        ({"address": {**CUSTOMER["address"], "country": "Germany"}}, "address.country"),
        ({"address": {**CUSTOMER["address"], "state": "Illinois"}}, "address.state"),
        ({"address": {**CUSTOMER["address"], "planet": "Earth"}}, "address.planet"),
        ({"iban": "DE00"}, "iban"),
    ],
)
def test_wrong_contact_data_are_refused_and_their_place_named(web: Web, changes: dict[str, Any], place: str) -> None:
    answer = web.call("PUT", "/customers/me", {**CUSTOMER, **changes})
    assert (answer.status, code(answer)) == (422, "invalid")
    assert answer.body["detail"].startswith(f"{place}: ")
    assert web.call("GET", "/customers/me").status == 404


# Everything else


@pytest.mark.parametrize("path", ["/", "/nothing", "/orders/1/2/3", "/orders/1/refund", "/customers/eve", "/Orders"])
def test_where_nothing_is_one_is_told_so(web: Web, path: str) -> None:
    for customer in ("zoe", None):
        answer = web.call("GET", path, customer=customer)
        assert (answer.status, code(answer)) == (404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/orders", "GET, POST"),
        ("PUT", "/orders/o-1", "GET"),
        ("GET", "/orders/o-1/cancel", "POST"),
        ("POST", "/customers/me", "GET, PUT"),
        ("BREW", "/orders", "GET, POST"),
    ],
)
def test_another_method_is_refused_and_the_allowed_ones_are_named(
    web: Web, method: str, path: str, allowed: str
) -> None:
    answer = web.call(method, path)
    assert (answer.status, code(answer)) == (405, "method-not-allowed")
    assert answer.headers["allow"] == allowed


def test_a_store_that_is_down_is_told_as_such_and_nothing_is_taken(web: Web) -> None:
    path = web.place().headers["location"]

    def down(_method: str, _collection: str, _key: str) -> None:
        raise Unavailable("no route to 10.0.0.1 as user admin")

    web.lab.store.before = down
    for method, where, body in [
        ("POST", "/orders", order()),
        ("GET", "/orders", None),
        ("GET", path, None),
        ("POST", f"{path}/cancel", None),
        ("GET", "/customers/me", None),
        ("PUT", "/customers/me", CUSTOMER),
    ]:
        answer = web.call(method, where, body)
        assert (answer.status, code(answer)) == (503, "unavailable")
        assert "10.0.0.1" not in json.dumps(answer.body)
    assert web.call("GET", "/health").status == 200


def test_an_error_of_our_own_is_told_without_its_insides(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    def bug(_method: str, _collection: str, _key: str) -> None:
        raise ZeroDivisionError("secret insides")

    web.lab.store.before = bug
    answer = web.place()
    assert (answer.status, code(answer)) == (500, "internal")
    assert "insides" not in json.dumps(answer.body)
    assert "insides" in capsys.readouterr().out, "the log has it"


def test_health_and_the_openapi_document_need_no_token(web: Web) -> None:
    assert web.call("GET", "/health", customer=None).body == {"status": "ok"}
    assert web.call("GET", "/openapi.json", customer=None).body == document()


def test_the_openapi_document_is_valid() -> None:
    validate(document())


def test_the_openapi_document_has_every_route_and_no_other(web: Web) -> None:
    """Of all methods on all documented paths, exactly the documented ones are allowed."""
    web.lab.ports.dependencies["webhook"] = Deaf()  # type: ignore[index]
    for template, operations in document()["paths"].items():
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            answer = web.app.respond(web.request(method, template.replace("{id}", "o-1"), {}))
            assert (answer.status == 405) == (method.lower() not in operations), (method, template)


def test_an_order_request_that_the_openapi_document_allows_is_one_that_the_api_reads() -> None:
    from jsonschema import Draft202012Validator

    parts = document()["components"]
    request = Draft202012Validator({"$ref": "#/components/schemas/OrderRequest", "components": parts})
    assert request.is_valid(order())
    assert not request.is_valid({**order(), "price": 1})
    assert not request.is_valid(order(("CUP", 0)))
