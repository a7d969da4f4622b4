"""What the room's pages ask for and do, over a workflow in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from cli.desk import shipped
from orderflow.keys import safe_key
from orderflow_cli.room.guard import TOKEN_HEADER
from orderflow_cli.room.serve import serving
from orderflow_cli.room.site import Site
from orderflow_cli.room.trouble import MODES, hearing_services
from orderflow_local.collector import Span
from room.conftest import Hosts
from room.test_stream import events
from unit.support import Lab


def dead_letters(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/aws/letters").json()["letters"]
    return found


def given_up(lab: Lab) -> None:
    """An order whose payment was given up because the gateway was down."""
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    lab.place("o-1")
    lab.simulate("gateway", "down")
    message = lab.broker.queues["payment"].popleft()
    while not lab.letters("payment"):
        lab.deliver("payment", message)
        lab.clock.time += 100
    lab.run_to_rest()


def test_an_order_is_shown_with_its_events_their_causes_and_who_absorbed_them(visitor: httpx.Client, lab: Lab) -> None:
    shipped(lab, "o-1")

    order = visitor.get("/api/aws/orders/o-1").json()

    events = {entry["kind"]: entry for entry in order["timeline"]["entries"]}
    assert order["row"]["status"] == "shipped"
    assert set(order["services"]) >= {"inventory", "payment", "shipping"}
    assert events["OrderPlaced"]["causation_id"] is None
    assert events["PaymentCompleted"]["causation_id"] == events["OrderPlaced"]["event_id"]
    assert "order" in events["PaymentCompleted"]["absorbed_by"]
    assert order["timeline"]["waits_for"] == []


def test_a_trace_is_a_list_of_spans_each_under_its_parent(lab: Lab, site: Site) -> None:
    shipped(lab, "o-1")
    spans = [
        Span("t", "b", "a", "payment", "deliver", "consumer", 3_000_000, 9_000_000, True, "gateway is down", {}, []),
        Span("t", "a", "", "api", "POST /orders", "server", 1_000_000, 5_000_000, False, "", {}, []),
    ]
    traced = Site(replace(site.doors, spans=lambda _: spans), "AWS", site.machine, site.logs)
    with serving({"aws": traced}) as address:
        found = httpx.get(f"{address.partition('/#')[0]}/api/aws/orders/o-1/trace").json()

    assert found["took_ms"] == 8.0
    rows = [(span["depth"], span["service"], span["began_ms"], span["took_ms"]) for span in found["spans"]]
    assert rows == [(0, "api", 0.0, 4.0), (1, "payment", 2.0, 6.0)]
    assert (found["spans"][1]["error"], found["spans"][1]["message"]) == (True, "gateway is down")


def test_the_invariants_are_checked_for_the_orders_that_are_shown(operator: httpx.Client, lab: Lab) -> None:
    lab.customer("ada")
    shipped(lab, "o-1", customer="ada")
    next(value for kind, value in events(operator) if kind == "orders" and value["rows"])

    found = operator.get("/api/aws/check").json()
    assert found["orders"] == 1
    assert [each["broken"] for each in found["invariants"]] == [[]] * 6

    lab.store.amend("carrier", safe_key("o-1"), lambda document: document.update(entries={}))
    broken = {each["name"] for each in operator.get("/api/aws/check").json()["invariants"] if each["broken"]}
    assert broken == {"I4"}


def test_an_order_without_a_trace_says_why(visitor: httpx.Client, lab: Lab) -> None:
    shipped(lab, "o-1")

    answer = visitor.get("/api/aws/orders/o-1/trace")

    assert answer.status_code == 409
    assert answer.json()["error"]


def test_an_order_that_is_not_there_is_said_to_be_absent(visitor: httpx.Client) -> None:
    answer = visitor.get("/api/aws/orders/nobody")

    assert answer.status_code == 409
    assert "there is no order nobody" in answer.json()["error"]


def test_a_cloud_that_does_not_run_is_not_found(operator: httpx.Client) -> None:
    assert operator.get("/api/gcp/letters").status_code == 404
    assert operator.post("/api/gcp/load", json={"per_second": 1}).status_code == 404


def test_a_letter_is_listed_without_and_shown_with_its_payload(visitor: httpx.Client, lab: Lab) -> None:
    lab.deliver("payment", b"no event")

    [letter] = dead_letters(visitor)
    whole = visitor.get(f"/api/aws/letters/payment/{letter['letter_id']}").json()

    assert (letter["service"], letter["reason"]) == ("payment", "malformed")
    assert "payload" not in letter
    assert whole["payload"] == "no event"
    assert visitor.get("/api/aws/letters/payment/e").status_code == 404


def test_the_newest_letters_are_listed_first(visitor: httpx.Client, lab: Lab) -> None:
    for number in range(3):
        lab.deliver("payment", f"no event {number}".encode())
        lab.clock.time += 60

    times = [letter["last_at"] for letter in dead_letters(visitor)]

    assert times == sorted(times, reverse=True)


def test_a_redrive_ends_the_order_that_waited_for_it(operator: httpx.Client, lab: Lab) -> None:
    given_up(lab)
    [letter] = dead_letters(operator)
    lab.simulate("gateway", "ok")
    lab.clock.time += 3600

    chosen = {"verb": "redrive", "service": letter["service"], "ids": [letter["letter_id"]]}
    answer = operator.post("/api/aws/letters", json=chosen).json()
    lab.run_to_rest()

    assert answer == {"done": [letter["letter_id"]], "left": {}, "gone": []}
    assert lab.state("order").status == "shipped"
    assert dead_letters(operator) == []


def test_a_discard_of_what_an_order_waits_for_is_refused_with_the_reason(operator: httpx.Client, lab: Lab) -> None:
    given_up(lab)
    [letter] = dead_letters(operator)

    chosen = {"verb": "discard", "service": letter["service"], "ids": [letter["letter_id"]]}
    answer = operator.post("/api/aws/letters", json=chosen).json()

    assert "the order would never come to rest" in answer["left"][letter["letter_id"]]
    assert len(dead_letters(operator)) == 1


def test_only_letters_that_were_named_whole_are_handled(operator: httpx.Client, lab: Lab) -> None:
    lab.deliver("payment", b"one")
    lab.deliver("payment", b"two")
    first, second = (letter["letter_id"] for letter in dead_letters(operator))

    answer = operator.post(
        "/api/aws/letters", json={"verb": "discard", "service": "payment", "ids": [first, second[:8]]}
    ).json()

    assert answer["done"] == [first]
    assert answer["gone"] == [second[:8]]
    assert [letter["letter_id"] for letter in dead_letters(operator)] == [second]


@pytest.mark.parametrize(("provider", "mode"), [(name, mode) for name, modes in MODES.items() for mode in modes])
def test_a_provider_behaves_as_it_is_told(operator: httpx.Client, lab: Lab, provider: str, mode: str) -> None:
    for wanted in ("down", mode):
        answer = operator.post("/api/aws/provider", json={"provider": provider, "mode": wanted})
        assert answer.status_code == 200

    document = lab.document("simulation", provider)
    assert document is not None
    assert document["mode"] == mode


def test_the_gateway_that_is_down_stops_payments_until_it_is_mended(operator: httpx.Client, lab: Lab) -> None:
    lab.customer()
    lab.load_file("stock/one.csv", b"sku,quantity\nCUP,100\n")
    operator.post("/api/aws/provider", json={"provider": "gateway", "mode": "refuse"})
    lab.place("o-1")
    lab.run_to_rest()
    operator.post("/api/aws/provider", json={"provider": "gateway", "mode": "ok"})
    lab.clock.time += 2
    lab.place("o-2")
    lab.run_to_rest()

    assert (lab.state("order", "o-1").status, lab.state("order", "o-2").status) == ("cancelled", "shipped")


@pytest.mark.parametrize(("provider", "mode"), [("gateway", "confused"), ("bank", "down"), ("carrier", "")])
def test_what_no_provider_can_be_is_refused(operator: httpx.Client, lab: Lab, provider: str, mode: str) -> None:
    assert operator.post("/api/aws/provider", json={"provider": provider, "mode": mode}).status_code == 409
    assert lab.document("simulation", provider) is None


@pytest.mark.parametrize("service", hearing_services())
def test_a_poison_message_ends_among_the_services_dead_letters(operator: httpx.Client, lab: Lab, service: str) -> None:
    assert operator.post("/api/aws/poison", json={"service": service}).status_code == 200

    lab.deliver(service, lab.broker.queues[service].popleft())

    assert [(letter["service"], letter["reason"]) for letter in dead_letters(operator)] == [(service, "malformed")]


def test_two_poison_messages_are_two_letters(operator: httpx.Client, lab: Lab) -> None:
    for _ in range(2):
        operator.post("/api/aws/poison", json={"service": "payment"})
        lab.deliver("payment", lab.broker.queues["payment"].popleft())

    assert len({letter["letter_id"] for letter in dead_letters(operator)}) == 2


def test_poison_for_a_service_without_a_queue_is_refused(operator: httpx.Client) -> None:
    assert operator.post("/api/aws/poison", json={"service": "api"}).status_code == 409


def test_a_host_is_killed_by_name_or_any_that_runs(operator: httpx.Client, hosts: Hosts) -> None:
    assert operator.post("/api/aws/kill", json={"host": "order-1"}).json() == {"killed": "order-1"}
    assert operator.post("/api/aws/kill", json={}).json() == {"killed": "payment-1"}
    assert operator.post("/api/aws/kill", json={"host": "nobody"}).status_code == 409
    hosts.names.clear()
    assert "no function host runs" in operator.post("/api/aws/kill", json={}).json()["error"]

    assert hosts.killed == ["order-1", "payment-1"]


def test_an_api_that_cannot_be_reached_is_said_so(operator: httpx.Client) -> None:
    wish = {"customer": "ada", "lines": {"CUP": 1}, "payment_token": "tok_visa"}
    answer = operator.post("/api/aws/orders", json=wish)

    assert answer.status_code == 503
    assert "not reached" in answer.json()["error"]


@pytest.mark.parametrize("rate", [-1, 11, "fast", None])
def test_a_rate_out_of_range_is_refused(operator: httpx.Client, rate: Any) -> None:
    answer = operator.post("/api/aws/load", json={"per_second": rate})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("per_second: ")


def test_each_cloud_has_its_own_load(site: Site) -> None:
    other = Site(replace(site.doors, cloud="gcp"), "Google Cloud", site.machine, site.logs)
    with serving({"aws": site, "gcp": other}) as address:
        url, _, token = address.partition("/#token=")
        client = httpx.Client(base_url=url, headers={TOKEN_HEADER: token})
        assert client.post("/api/gcp/load", json={"per_second": 2}).json()["per_second"] == 2
        assert client.post("/api/aws/load", json={"per_second": 1}).json()["per_second"] == 1


def test_the_room_says_what_there_is_to_choose_from(visitor: httpx.Client) -> None:
    room = visitor.get("/api/room").json()

    assert room["clouds"] == [{"name": "aws", "title": "AWS"}]
    assert {"ada", "edmond"} <= set(room["customers"])
    assert "CUP" in [goods["sku"] for goods in room["goods"]]
    assert "payment" in room["services"]
    assert "api" not in room["services"]
