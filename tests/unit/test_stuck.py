"""Orders that stand still: which they are, what they wait for and from whom, and what stands in the way."""

from __future__ import annotations

import pytest

from orderflow.deadletters import redrive
from orderflow.driver import run
from orderflow.events import FraudCleared
from orderflow.ports import Unavailable
from orderflow.services import find
from orderflow.settings import Settings
from orderflow.stuck import Awaited, Stuck, stuck
from unit.support import CUSTOMER, Lab, enveloped


def found(lab: Lab) -> list[Stuck]:
    return sorted(stuck(lab.store, lab.settings, lab.clock.now()), key=lambda each: each.order_id)


def owed(lab: Lab) -> list[tuple[str, tuple[str, ...]]]:
    """What the one order that stands still waits for."""
    [one] = found(lab)
    return [(each.service, each.kinds) for each in one.awaits]


def pass_deadline(lab: Lab) -> None:
    lab.clock.time += lab.settings.order_deadline


def test_an_order_is_not_stuck_before_its_deadline(lab: Lab) -> None:
    lab.place()
    lab.clock.time += lab.settings.order_deadline - 1
    assert found(lab) == []


def test_an_order_that_nobody_answered_says_who_owes_it_what(lab: Lab) -> None:
    lab.place(publish=False)
    pass_deadline(lab)

    [one] = found(lab)

    assert (one.order_id, one.status, one.deadline) == ("o-1", "pending", lab.clock.now())
    assert one.awaits == (
        Awaited("inventory", ("InventoryReserved", "OutOfStock"), None, None),
        Awaited("payment", ("PaymentCompleted", "PaymentFailed"), None, None),
    )


def test_what_was_answered_is_not_waited_for(lab: Lab) -> None:
    lab.place(publish=False)
    lab.store.overwrite("orders", "o-1", reserved=True)
    pass_deadline(lab)
    assert owed(lab) == [("payment", ("PaymentCompleted", "PaymentFailed"))]


def test_screening_is_waited_for_where_orders_are_held_for_it() -> None:
    for hold, expected in ((True, [("fraud", ("FraudCleared", "FraudSuspected"))]), (False, [])):
        lab = Lab.make(Settings(hold_for_screening=hold))
        lab.place(lines=[("CUP", 200)], publish=False)
        lab.store.overwrite("orders", "o-1", reserved=True, paid=True)
        pass_deadline(lab)
        assert owed(lab) == expected
        lab.deliver("order", enveloped(FraudCleared(order_id="o-1")))
        assert [each.status for each in found(lab)] == ["confirmed"]


def test_a_confirmed_order_waits_for_the_carrier_and_says_what_it_answers(lab: Lab) -> None:
    lab.stock("CUP", 10)
    lab.store.insert("customers", "zoe", {"schema": 1, "rev": 1, "state": {"name": "nobody"}})
    lab.place()
    lab.run_to_rest()
    pass_deadline(lab)

    [one] = found(lab)

    assert one.status == "confirmed"
    [awaited] = one.awaits
    assert (awaited.service, awaited.kinds) == ("shipping", ("ShipmentCreated", "ShipmentRefused"))
    assert awaited.status == "waiting"
    assert awaited.error is not None
    assert awaited.error in [letter.detail for letter in lab.letters("shipping")]


def test_a_refund_that_is_refused_for_ever_is_parked_seen_and_made_when_redriven(lab: Lab) -> None:
    """The saga stands still where one can see it, its neighbours do not, and a redrive takes it on."""
    lab.stock("CUP", 10)
    lab.customer()
    lab.customer("pole", address={**CUSTOMER["address"], "country": "AQ"})
    lab.simulate("gateway", "refuse-refunds")
    lab.place("o-1", customer="pole")
    lab.place("o-2")
    lab.run_to_rest()
    pass_deadline(lab)

    [letter] = lab.letters("payment")
    assert (letter.reason, letter.detail) == (
        "attempts-exhausted",
        "the gateway does not refund: refunds are not possible",
    )
    assert lab.state("order", "o-2").status == "shipped"
    [one] = found(lab)
    assert (one.order_id, one.status) == ("o-1", "cancelled")
    assert one.reason == "shipment-refused: no service to this address"
    assert one.awaits == (Awaited("payment", ("PaymentRefunded", "PaymentVoided"), "settling", letter.detail),)

    lab.simulate("gateway", "ok")
    assert run(redrive(lab.shell, find("payment"), letter), lab.ports) is None
    lab.run_to_rest()

    assert found(lab) == []
    assert lab.state("order").closed
    books = lab.entries("gateway")
    assert [entry["status"] for entry in books if entry["status"] != "refused"] == ["charged", "refunded"]


def test_a_closed_order_is_never_stuck(lab: Lab) -> None:
    lab.stock("CUP", 10)
    lab.customer()
    lab.place()
    lab.run_to_rest()
    pass_deadline(lab)
    assert lab.state("order").closed
    assert found(lab) == []


def test_every_page_of_every_shard_is_looked_at(lab: Lab) -> None:
    for number in range(250):
        lab.place(f"o-{number}", publish=False)
    pass_deadline(lab)
    assert len(found(lab)) == 250


def test_a_store_that_does_not_answer_is_said(lab: Lab) -> None:
    def away(*_: str) -> None:
        raise Unavailable("the store is away")

    lab.store.before = away
    with pytest.raises(Unavailable):
        found(lab)
