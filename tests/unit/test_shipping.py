"""Shipping: one parcel for a paid, reserved, confirmed order, whatever order the three arrive in."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from orderflow.envelope import Envelope
from orderflow.events import InventoryReserved, OrderCancelled, OrderConfirmed, PaymentCompleted
from orderflow.processing import Retry
from unit.support import Lab, done, enveloped

OF: dict[str, Any] = {"order_id": "o-1", "customer_id": "zoe"}
AT = "2027-01-15T08:00:00.000Z"
PAID = enveloped(PaymentCompleted(**OF, charge_id="ch", amount=1, currency="EUR"), "e-paid")
RESERVED = enveloped(InventoryReserved(**OF, lines=()), "e-reserved")
CONFIRMED = enveloped(OrderConfirmed(**OF, total=1, currency="EUR", tier="standard", placed_at=AT), "e-confirmed")
CANCELLED = enveloped(OrderCancelled(**OF, reason="customer: x", total=1, currency="EUR"), "e-cancelled")
THREE = (PAID, RESERVED, CONFIRMED)


@pytest.mark.parametrize("events", list(permutations(THREE)), ids=lambda events: ">".join(e.kind for e in events))
def test_the_third_of_the_three_orders_the_label(lab: Lab, events: tuple[Envelope, ...]) -> None:
    lab.customer()
    for event in events[:2]:
        assert done(lab.deliver("shipping", event)) == "handled"
        assert lab.entries("carrier") == []
        assert lab.published() == []
    assert done(lab.deliver("shipping", events[2])) == "handled"
    assert len(lab.entries("carrier")) == 1
    [created] = lab.published()
    assert created.kind == "ShipmentCreated"
    assert created.data["tracking"] == lab.entries("carrier")[0]["tracking"]
    assert created.data["placed_at"] == AT
    for event in events:
        lab.deliver("shipping", event)
    assert len(lab.entries("carrier")) == 1
    assert len({each.to_bytes() for each in lab.published()}) == 1


@pytest.mark.parametrize("pair", list(permutations(THREE, 2)), ids=lambda events: ">".join(e.kind for e in events))
def test_two_of_the_three_are_not_enough_however_often_they_come(lab: Lab, pair: tuple[Envelope, ...]) -> None:
    lab.customer()
    for event in pair * 3:
        lab.deliver("shipping", event)
    assert lab.entries("carrier") == []
    assert lab.state("shipping").status == "waiting"


def test_a_customer_without_an_address_makes_the_shipment_refused(lab: Lab) -> None:
    for event in THREE:
        lab.deliver("shipping", event)
    [refused] = lab.published()
    assert (refused.kind, refused.data["reason"]) == ("ShipmentRefused", "the customer has no address")
    assert lab.entries("carrier") == []


def test_an_address_that_no_carrier_serves_makes_the_shipment_refused(lab: Lab) -> None:
    lab.customer(address={"street": "Ice 1", "city": "South Pole", "postcode": "1", "country": "AQ"})
    for event in THREE:
        lab.deliver("shipping", event)
    assert lab.published()[0].data["reason"] == "no service to this address"
    assert lab.state("shipping").status == "refused"
    assert done(lab.deliver("shipping", CANCELLED)) == "handled", "the cancellation that follows"
    assert lab.state("shipping").status == "refused"


def test_a_carrier_that_does_not_answer_is_asked_again_with_the_same_key(lab: Lab) -> None:
    lab.customer()
    for event in THREE[:2]:
        lab.deliver("shipping", event)
    lab.simulate("carrier", "down")
    assert isinstance(lab.deliver("shipping", CONFIRMED), Retry)
    assert lab.state("shipping").status == "labelling"
    lab.simulate("carrier", "ok")
    assert done(lab.deliver("shipping", CONFIRMED)) == "handled"
    assert list(lab.document("carrier", "o-1")["entries"]) == ["o-1.label"]  # type: ignore[index]


def test_any_of_the_three_that_comes_again_finishes_a_label_that_was_begun(lab: Lab) -> None:
    lab.customer()
    for event in THREE[:2]:
        lab.deliver("shipping", event)
    lab.simulate("carrier", "down")
    lab.deliver("shipping", CONFIRMED)
    lab.simulate("carrier", "ok")
    again = enveloped(PaymentCompleted(**OF, charge_id="ch", amount=1, currency="EUR"), "e-other")
    assert done(lab.deliver("shipping", again)) == "handled"
    assert done(lab.deliver("shipping", CONFIRMED)) == "handled"
    assert len(lab.entries("carrier")) == 1
    assert [each.kind for each in lab.published()] == ["ShipmentCreated"]


@pytest.mark.parametrize("country", ["DE", "AQ"])
def test_what_is_shipped_or_refused_is_not_begun_anew_by_a_late_event(lab: Lab, country: str) -> None:
    lab.customer(address={"street": "1", "city": "X", "postcode": "1", "country": country})
    for event in THREE:
        lab.deliver("shipping", event)
    before = lab.state("shipping")
    lab.ports.dependencies["carrier"] = None  # type: ignore[index]
    for event in THREE:
        assert done(lab.deliver("shipping", event.replace(id=f"{event.id}-2"))) == "handled"
    assert lab.state("shipping") == before
    assert len(lab.published()) == 1


@pytest.mark.parametrize("before", [(), (PAID,), (RESERVED, PAID)], ids=len)
def test_nothing_is_shipped_after_a_cancellation(lab: Lab, before: tuple[Envelope, ...]) -> None:
    lab.customer()
    for event in (*before, CANCELLED, *THREE):
        assert done(lab.deliver("shipping", event)) in ("handled", "duplicate")
    assert lab.entries("carrier") == []
    assert lab.state("shipping").status == "cancelled"
    assert lab.published() == []


@pytest.mark.parametrize("status", ["labelling", "shipped"])
def test_a_cancellation_of_what_is_confirmed_is_refused_aloud(lab: Lab, status: str) -> None:
    """The arbiter never says both; if somebody does, a person must look at it."""
    lab.deliver("shipping", PAID)
    lab.store.overwrite("shipments", "o-1", status=status)
    assert done(lab.deliver("shipping", CANCELLED)) == "dead-lettered"
    assert lab.letters("shipping")[0].detail == f"cancelled while {status}"


def test_the_address_goes_to_the_carrier_and_nowhere_else(lab: Lab) -> None:
    lab.customer()
    asked: list[dict[str, Any]] = []
    carrier = lab.ports.dependencies["carrier"]

    class Listening:
        def label(self, **arguments: Any) -> dict[str, Any]:
            asked.append(arguments)
            answer: dict[str, Any] = carrier.label(**arguments)
            return answer

    lab.ports.dependencies["carrier"] = Listening()  # type: ignore[index]
    for event in THREE:
        lab.deliver("shipping", event)
    assert asked[0]["address"]["city"] == "Łódź"
    assert "Łódź" not in str(lab.document("shipments", "o-1"))
    assert "Łódź" not in lab.published()[0].to_bytes().decode()
