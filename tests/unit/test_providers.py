"""The simulated providers: idempotent where real ones are, and broken on purpose by a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orderflow.ports import Conflict, Unavailable
from unit.support import Lab

DE = {"country": "DE"}


def charge(lab: Lab, key: str = "o-1.charge.1", token: str = "tok_visa", amount: int = 100) -> dict[str, Any]:
    """Charge an order."""
    gateway = lab.ports.dependencies["gateway"]
    answer: dict[str, Any] = gateway.charge(key=key, order_id="o-1", amount=amount, currency="EUR", token=token)
    return answer


def refund(lab: Lab, charge_id: str = "ch") -> dict[str, Any]:
    """Refund it."""
    gateway = lab.ports.dependencies["gateway"]
    answer: dict[str, Any] = gateway.refund(key="o-1.refund", charge_id=charge_id, amount=100, currency="EUR")
    return answer


def label(lab: Lab, key: str = "o-1.label", address: dict[str, Any] = DE) -> dict[str, Any]:
    """Order a label."""
    answer: dict[str, Any] = lab.ports.dependencies["carrier"].label(
        key=key, order_id="o-1", address=address, parcels=1
    )
    return answer


def send(lab: Lab, key: str = "n-1", channel: str = "email") -> dict[str, Any]:
    """Send a message."""
    answer: dict[str, Any] = lab.ports.dependencies[channel].send(key=key, to="zoe@example.com", subject="s", text="t")
    return answer


def test_the_same_key_gives_the_first_answer_and_takes_no_money_again(lab: Lab) -> None:
    first = charge(lab)
    assert first["status"] == "charged"
    assert charge(lab, amount=999) == first
    assert charge(lab, token="tok_refused") == first
    assert len(lab.entries("gateway")) == 1


def test_another_key_is_another_charge(lab: Lab) -> None:
    assert charge(lab)["charge_id"] != charge(lab, key="o-1.charge.2")["charge_id"]
    assert len(lab.entries("gateway")) == 2


def test_a_refused_token_is_refused_for_good(lab: Lab) -> None:
    assert charge(lab, token="tok_refused_visa") == {"status": "refused", "reason": "card declined"}
    assert charge(lab, token="tok_visa")["status"] == "refused", "under the same key"


def test_a_lost_answer_is_lost_once_and_the_money_is_taken(lab: Lab) -> None:
    with pytest.raises(Unavailable):
        charge(lab, token="tok_lost")
    assert [entry["status"] for entry in lab.entries("gateway")] == ["charged"]
    assert charge(lab, token="tok_lost")["status"] == "charged"
    assert len(lab.entries("gateway")) == 1


def test_a_refund_is_made_once(lab: Lab) -> None:
    charged = charge(lab)
    assert refund(lab, charged["charge_id"]) == refund(lab, charged["charge_id"])
    assert sorted(entry["status"] for entry in lab.entries("gateway")) == ["charged", "refunded"]


def test_a_charge_is_found_by_its_order(lab: Lab) -> None:
    gateway = lab.ports.dependencies["gateway"]
    assert gateway.lookup(order_id="o-1") == {"status": "none"}
    charged = charge(lab)
    assert gateway.lookup(order_id="o-1") == charged
    refunded = refund(lab, charged["charge_id"])
    assert gateway.lookup(order_id="o-1") == refunded, "what became of it last"
    assert gateway.lookup(order_id="o-2") == {"status": "none"}


def test_a_gateway_that_refuses_refunds_takes_money_and_gives_none_back(lab: Lab) -> None:
    gateway = lab.ports.dependencies["gateway"]
    lab.simulate("gateway", "refuse-refunds")
    charged = charge(lab)
    assert charged["status"] == "charged"
    assert refund(lab, charged["charge_id"])["status"] == "refused"
    assert gateway.lookup(order_id="o-1") == charged, "the money was taken, and that is how it stands"
    lab.simulate("gateway", "ok")
    assert refund(lab, charged["charge_id"])["status"] == "refused", "a key gives its first answer for ever"
    again = gateway.refund(key="o-1.refund.2", charge_id=charged["charge_id"], amount=100, currency="EUR")
    assert again["status"] == "refunded"


def test_the_carrier_gives_one_parcel_for_one_key(lab: Lab) -> None:
    first = label(lab)
    assert first["status"] == "accepted"
    assert label(lab) == first
    assert label(lab, "o-2.label")["tracking"] != first["tracking"]
    assert len(lab.entries("carrier")) == 2


def test_the_carrier_does_not_go_to_antarctica(lab: Lab) -> None:
    refused = {"status": "refused", "reason": "no service to this address"}
    assert label(lab, address={"country": "AQ"}) == refused
    assert label(lab, address=DE) == refused, "under the same key"


def test_what_is_sent_twice_is_sent_twice_and_can_be_seen(lab: Lab) -> None:
    assert send(lab)["status"] == send(lab)["status"] == "sent"
    assert len(lab.entries("messages", "n-1")) == 2
    assert "zoe@example.com" not in str(lab.document("messages", "n-1"))


ALL: dict[str, Callable[[Lab], Any]] = {"gateway": charge, "carrier": label, "email": send}


@pytest.mark.parametrize("name", ALL)
def test_a_provider_can_be_broken_and_mended_by_a_document(lab: Lab, name: str) -> None:
    lab.simulate(name, "down")
    with pytest.raises(Unavailable, match=f"{name} is down"):
        ALL[name](lab)
    assert lab.entries("gateway") + lab.entries("carrier") + lab.entries("messages", "n-1") == []
    lab.simulate(name, "refuse")
    assert ALL[name](lab)["status"] == "refused"
    lab.simulate(name, "slow")
    before = lab.clock.time
    ALL[name](lab)
    assert lab.clock.time - before == 2.0
    lab.simulate(name, "ok")
    ALL[name](lab)
    assert lab.clock.time - before < 4.0


def test_breaking_one_provider_leaves_the_others(lab: Lab) -> None:
    lab.simulate("sms", "down")
    assert send(lab)["status"] == "sent"
    with pytest.raises(Unavailable):
        send(lab, channel="sms")


def test_concurrent_entries_of_one_case_are_all_kept(lab: Lab) -> None:
    meddled: list[bool] = []

    def meddle(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "gateway") and len(meddled) < 3:
            meddled.append(True)
            charge(lab, key=f"o-1.charge.{len(meddled) + 1}")

    lab.store.before = meddle
    charge(lab)
    assert len(lab.entries("gateway")) == 4


def test_books_that_cannot_be_written_are_no_answer(lab: Lab) -> None:
    def lose(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "gateway"):
            raise Conflict("lost")

    lab.store.before = lose
    with pytest.raises(Unavailable):
        charge(lab)
