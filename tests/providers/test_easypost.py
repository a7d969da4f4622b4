"""EasyPost: one label for an order, whatever is lost; and the same requests as EasyPost's SDK sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import easypost
import pytest

from orderflow.events import InventoryReserved, OrderConfirmed, PaymentCompleted
from orderflow.keys import safe_key
from orderflow.ports import Unavailable
from orderflow.processing import Done, Retry
from orderflow.providers.easypost import EasyPostCarrier
from orderflow.providers.web import BadCall
from providers.conftest import choose
from providers.easypost_stub import EasyPostStub
from unit.support import BEGIN, CUSTOMER, Lab, enveloped
from web_stub import WebStub

ADDRESS = {"name": "Zoë Ångström", "street": "1 Main St", "city": "Springfield", "postcode": "62701", "country": "US"}
OPTIONS = {"ORDERFLOW_CARRIER": "easypost", "ORDERFLOW_CARRIER_FROM": "adr_1", "ORDERFLOW_CARRIER_PARCEL": "prcl_1"}


@pytest.fixture
def stub() -> EasyPostStub:
    """EasyPost, empty."""
    return EasyPostStub()


@pytest.fixture
def server(stub: EasyPostStub) -> Iterator[WebStub]:
    """Where it is."""
    with WebStub(stub.answer) as server:
        yield server


@pytest.fixture
def carrier(lab: Lab, stub: EasyPostStub, server: WebStub) -> EasyPostCarrier:
    """Our carrier, configured as an operator does."""
    carrier = choose(lab, "carrier", stub.key, ORDERFLOW_CARRIER_URL=server.url, **OPTIONS)
    assert isinstance(carrier, EasyPostCarrier)
    return carrier


def label(carrier: EasyPostCarrier, **changes: Any) -> dict[str, Any]:
    """Order a label."""
    return carrier.label(**{"key": "o-1.label", "order_id": "o-1", "address": ADDRESS, "parcels": 1, **changes})


def test_the_sdk_makes_and_buys_a_shipment_with_the_same_requests(
    carrier: EasyPostCarrier, stub: EasyPostStub, server: WebStub
) -> None:
    ours = label(carrier, address={**ADDRESS, "state": "IL"})
    client = easypost.EasyPostClient(  # type: ignore[attr-defined]
        stub.key, api_base=f"{server.url}/v2"
    )
    made = client.shipment.create(
        to_address={
            "name": "Zoë Ångström",
            "street1": "1 Main St",
            "city": "Springfield",
            "state": "IL",
            "zip": "62701",
            "country": "US",
        },
        from_address={"id": "adr_1"},
        parcel={"id": "prcl_1"},
        reference="o-1.label",
    )
    theirs = client.shipment.buy(made.id, rate={"id": made.lowest_rate().id})
    client.shipment.retrieve(made.id)

    our_make, our_buy, their_make, their_buy, their_read = server.seen
    assert (our_make.method, our_make.path, our_make.json) == (their_make.method, their_make.path, their_make.json)
    assert our_make.headers["authorization"] == their_make.headers["authorization"]
    assert our_buy.path.replace("shp_1", "shp_2") == their_buy.path
    assert our_buy.json["rate"]["id"].replace("shp_1", "shp_2") == their_buy.json["rate"]["id"]
    assert (ours["tracking"][:-1], theirs.tracking_code[:-1]) == ("94001" + "0" * 16, "94001" + "0" * 16)
    server.seen.clear()
    label(carrier)
    assert (server.seen[0].method, server.seen[0].path.replace("shp_1", "shp_2")) == (
        their_read.method,
        their_read.path,
    )


def test_the_cheapest_of_the_wanted_services_is_bought(lab: Lab, stub: EasyPostStub, server: WebStub) -> None:
    options = {**OPTIONS, "ORDERFLOW_CARRIER_URL": server.url}
    for number, (services, bought) in enumerate([("", "GroundAdvantage"), ("Express,Priority", "Priority")]):
        carrier = choose(lab, "carrier", stub.key, **options, ORDERFLOW_CARRIER_SERVICES=services)
        label(carrier, key=f"{number}.label")
        assert list(stub.shipments.values())[-1]["selected_rate"]["service"] == bought


def test_an_address_that_nobody_goes_to_is_refused_for_good(carrier: EasyPostCarrier, stub: EasyPostStub) -> None:
    for _ in range(2):
        answer = label(carrier, address={**ADDRESS, "country": "AQ"})
        assert answer == {"status": "refused", "reason": "no carrier goes to this address"}
    assert (len(stub.shipments), stub.bought) == (1, 0)


def test_an_address_that_is_wrong_is_refused_for_good_without_repeating_it(
    carrier: EasyPostCarrier, stub: EasyPostStub
) -> None:
    stub.next = ["ADDRESS.VERIFY.FAILURE"]
    answer = label(carrier)
    assert answer == {"status": "refused", "reason": "the address is not accepted: ADDRESS.VERIFY.FAILURE"}


@pytest.mark.parametrize(
    "trouble",
    [
        ["lost"],
        ["429"],
        ["500"],
        ["402"],
        ["garbage"],
        ["", "lost"],
        ["", "503"],
        ["", "garbage"],
        ["", "SHIPMENT.PURCHASE.IN_PROGRESS"],
        ["", "SHIPMENT.POSTAGE.TIMED_OUT"],
    ],
    ids="-".join,
)
def test_trouble_is_no_refusal_and_asking_again_buys_once(
    lab: Lab, carrier: EasyPostCarrier, stub: EasyPostStub, trouble: list[str]
) -> None:
    stub.next = trouble
    with pytest.raises(Unavailable) as error:
        label(carrier)
    assert "Zo" not in str(error.value)
    lab.clock.time += 60
    assert label(carrier) == label(carrier)
    assert stub.bought == 1


def test_credentials_that_are_refused_are_an_operators_matter(carrier: EasyPostCarrier, stub: EasyPostStub) -> None:
    stub.key = "EZTK2"
    with pytest.raises(Unavailable, match="look at the secret carrier"):
        label(carrier)


def test_a_request_that_is_wrong_is_a_failed_attempt(carrier: EasyPostCarrier, stub: EasyPostStub) -> None:
    stub.next = ["PARAMETER.INVALID"]
    with pytest.raises(BadCall, match=r"422.*PARAMETER.INVALID"):
        label(carrier)


def test_two_processes_at_once_buy_one_shipment(
    lab: Lab, carrier: EasyPostCarrier, stub: EasyPostStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = lab.store.insert
    answers: list[dict[str, Any]] = []

    def overtaken(collection: str, key: str, document: Any) -> Any:
        monkeypatch.setattr(lab.store, "insert", insert)
        answers.append(label(carrier))  # Another process goes all the way in between.
        return insert(collection, key, document)

    monkeypatch.setattr(lab.store, "insert", overtaken)
    answers.append(label(carrier))
    assert answers[0] == answers[1]
    assert (len(stub.shipments), stub.bought) == (2, 1)


def test_a_shipment_that_was_bought_meanwhile_is_read(carrier: EasyPostCarrier, stub: EasyPostStub) -> None:
    stub.next = ["", "SHIPMENT.POSTAGE.EXISTS"]
    with pytest.raises(Unavailable, match="no tracking code yet"):
        label(carrier)
    assert label(carrier)["status"] == "accepted"


@pytest.mark.parametrize("after", ["create", "insert", "buy"])
def test_a_crash_at_any_step_buys_one_label(lab: Lab, carrier: EasyPostCarrier, stub: EasyPostStub, after: str) -> None:
    data = {"order_id": "o-1", "customer_id": "zoe"}
    events = [
        PaymentCompleted(**data, charge_id="ch", amount=1, currency="EUR"),
        InventoryReserved(**data, lines=()),
        OrderConfirmed(**data, total=1, currency="EUR", tier="standard", placed_at="2027-01-15T08:00:00.000Z"),
    ]
    messages = [enveloped(event, f"e-{number}") for number, event in enumerate(events)]
    for message in messages[:2]:
        assert isinstance(lab.deliver("shipping", message), Done)

    def crash(method: str, collection: str, key: str) -> None:
        where = {"create": collection == "carrier", "insert": False, "buy": collection == "shipments" and stub.bought}
        if method == "put" and where[after]:
            lab.store.before = None
            raise RuntimeError("the process is gone")

    def crash_after(method: str, collection: str, key: str) -> None:
        if after == "insert" and collection == "carrier":
            lab.store.after = None
            raise RuntimeError("the process is gone")

    lab.store.before, lab.store.after = crash, crash_after
    assert isinstance(lab.deliver("shipping", messages[2]), Retry)
    lab.store.before = lab.store.after = None
    assert isinstance(lab.deliver("shipping", messages[2]), Done)

    assert stub.bought == 1
    bought = next(each for each in stub.shipments.values() if each["postage_label"])
    assert lab.state("shipping").tracking == bought["tracking_code"]
    assert bought["to_address"]["name"] == CUSTOMER["name"]
    stored = lab.document("carrier", safe_key("o-1.label"))
    assert stored == {"rev": 1, "shipment": bought["id"]}
    assert BEGIN
