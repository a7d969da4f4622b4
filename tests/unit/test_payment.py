"""Payment: an order is charged once, and given its money back once, whatever the gateway does."""

from __future__ import annotations

from typing import Any

import pytest

from orderflow.events import OrderCancelled, PaymentRefunded, PaymentVoided, read
from orderflow.ports import Unavailable
from orderflow.processing import Retry
from orderflow.services.payment import Payment
from orderflow.settings import Settings
from unit.support import Lab, done, enveloped, order_placed

CANCELLED = OrderCancelled(order_id="o-1", customer_id="zoe", reason="customer: x", total=2_000, currency="EUR")


class Gateway:
    """A gateway that answers as it is told and notes its calls."""

    key_life_seconds = 86_400

    def __init__(self, lab: Lab) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "charge": {"status": "charged", "charge_id": "ch-1"},
            "refund": {"status": "refunded", "refund_id": "re-1"},
            "lookup": {"status": "none"},
        }
        lab.ports.dependencies["gateway"] = self  # type: ignore[index]

    def _answer(self, method: str, arguments: dict[str, Any]) -> Any:
        self.calls.append((method, arguments))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def charge(self, **arguments: Any) -> Any:
        return self._answer("charge", arguments)

    def refund(self, **arguments: Any) -> Any:
        return self._answer("refund", arguments)

    def lookup(self, **arguments: Any) -> Any:
        return self._answer("lookup", arguments)

    def asked(self) -> list[str]:
        """The calls by method."""
        return [method for method, _ in self.calls]


@pytest.fixture
def gateway(lab: Lab) -> Gateway:
    """The gateway of the laboratory."""
    return Gateway(lab)


def place(lab: Lab) -> Any:
    """Deliver the OrderPlaced."""
    return lab.deliver("payment", enveloped(order_placed(), "e-p"))


def stop(lab: Lab) -> Any:
    """Deliver the OrderCancelled."""
    return lab.deliver("payment", enveloped(CANCELLED, "e-c"))


def said(lab: Lab) -> list[str]:
    """The kinds that payment published."""
    return [envelope.kind for envelope in lab.published()]


def test_an_order_is_charged_its_total(lab: Lab, gateway: Gateway) -> None:
    assert done(place(lab)) == "handled"
    assert gateway.calls == [
        (
            "charge",
            {"key": "o-1.charge.1", "order_id": "o-1", "amount": 2_000, "currency": "EUR", "token": "tok_visa"},
        )
    ]
    event: Any = read(lab.published()[0])
    assert (event.kind(), event.charge_id, event.amount, event.currency) == ("PaymentCompleted", "ch-1", 2_000, "EUR")


def test_the_intent_is_stored_before_the_gateway_is_called(lab: Lab, gateway: Gateway) -> None:
    seen: list[Payment | None] = []
    charge = gateway.charge
    gateway.charge = lambda **arguments: (seen.append(lab.state("payment")), charge(**arguments))[1]  # type: ignore[func-returns-value, method-assign]
    place(lab)
    assert seen[0] is not None
    assert seen[0].status == "charging"


def test_a_refused_card_is_a_fact_and_no_failure(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = {"status": "refused", "reason": "card declined"}
    assert done(place(lab)) == "handled"
    assert lab.published()[0].data["reason"] == "card declined"
    assert said(lab) == ["PaymentFailed"]
    assert lab.store.calls["put", "attempts"] == 0


def test_an_answer_that_was_lost_is_asked_for_again_under_the_same_key(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    assert isinstance(place(lab), Retry)
    assert said(lab) == []
    gateway.answers["charge"] = {"status": "charged", "charge_id": "ch-1"}
    assert done(place(lab)) == "handled"
    assert [arguments["key"] for _, arguments in gateway.calls] == ["o-1.charge.1"] * 2
    assert said(lab) == ["PaymentCompleted"]


def test_a_cancelled_order_gets_its_money_back(lab: Lab, gateway: Gateway) -> None:
    place(lab)
    assert done(stop(lab)) == "handled"
    assert gateway.calls[-1] == (
        "refund",
        {"key": "o-1.refund", "charge_id": "ch-1", "amount": 2_000, "currency": "EUR"},
    )
    assert said(lab) == ["PaymentCompleted", "PaymentRefunded"]
    assert lab.published()[-1].data["announced"]
    assert lab.state("payment").status == "refunded"


def test_a_refund_whose_answer_was_lost_is_asked_for_again_under_the_same_key(lab: Lab, gateway: Gateway) -> None:
    place(lab)
    gateway.answers["refund"] = Unavailable("timeout")
    assert isinstance(stop(lab), Retry)
    assert lab.state("payment").status == "settling"
    gateway.answers["refund"] = {"status": "refunded", "refund_id": "re-1"}
    assert done(stop(lab)) == "handled"
    assert [arguments["key"] for method, arguments in gateway.calls if method == "refund"] == ["o-1.refund"] * 2
    assert said(lab) == ["PaymentCompleted", "PaymentRefunded"]


def test_a_refund_that_is_not_given_is_tried_until_it_is_put_aside_and_can_be_redriven(
    lab: Lab, gateway: Gateway
) -> None:
    place(lab)
    gateway.answers["refund"] = {"status": "pending"}
    outcomes = [stop(lab) for _ in range(5)]
    assert done(outcomes[-1]) == "dead-lettered"
    assert "does not refund" in lab.letters("payment")[0].detail
    gateway.answers["refund"] = {"status": "refunded", "refund_id": "re-1"}
    assert done(stop(lab)) == "handled"
    assert lab.state("payment").status == "refunded"


def test_a_refund_that_was_refused_is_asked_for_under_a_new_key(lab: Lab, gateway: Gateway) -> None:
    """A gateway gives a key's first answer for ever; one that has not decided yet keeps its key."""
    place(lab)
    answers = [{"status": "refused", "reason": "no"}, {"status": "pending"}, Unavailable("timeout")]
    for answer in answers:
        gateway.answers["refund"] = answer
        assert isinstance(stop(lab), Retry)
    gateway.answers["refund"] = {"status": "refunded", "refund_id": "re-1"}
    assert done(stop(lab)) == "handled"
    keys = [arguments["key"] for method, arguments in gateway.calls if method == "refund"]
    assert keys == ["o-1.refund", "o-1.refund.2", "o-1.refund.2", "o-1.refund.2"]
    assert said(lab) == ["PaymentCompleted", "PaymentRefunded"]


def test_a_cancellation_that_finds_a_charge_under_way_learns_its_outcome_and_gives_it_back(
    lab: Lab, gateway: Gateway
) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    gateway.answers["charge"] = {"status": "charged", "charge_id": "ch-1"}
    assert done(stop(lab)) == "handled"
    assert gateway.asked() == ["charge", "charge", "refund"]
    assert {arguments["key"] for method, arguments in gateway.calls if method == "charge"} == {"o-1.charge.1"}
    assert said(lab) == ["PaymentRefunded"]
    assert not lab.published()[-1].data["announced"], "whoever counts money must not take off what was never added"
    assert done(place(lab)) == "handled", "the late OrderPlaced"
    assert gateway.asked() == ["charge", "charge", "refund"]
    assert said(lab) == ["PaymentRefunded"]


def test_a_cancellation_that_finds_a_charge_that_was_refused_says_that_there_is_none(
    lab: Lab, gateway: Gateway
) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    gateway.answers["charge"] = {"status": "refused", "reason": "declined"}
    assert done(stop(lab)) == "handled"
    assert said(lab) == ["PaymentVoided"]
    assert "refund" not in gateway.asked()


def test_a_settling_that_dies_between_its_calls_is_finished(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    gateway.answers |= {
        "charge": {"status": "charged", "charge_id": "ch-1"},
        "refund": Unavailable("timeout"),
    }
    assert isinstance(stop(lab), Retry)
    gateway.answers["refund"] = {"status": "refunded", "refund_id": "re-1"}
    assert done(stop(lab)) == "handled"
    assert gateway.asked() == ["charge", "charge", "refund", "refund"], "what was learnt is not asked again"


def test_an_order_that_comes_after_its_cancellation_is_not_charged(lab: Lab, gateway: Gateway) -> None:
    assert done(stop(lab)) == "handled"
    assert said(lab) == ["PaymentVoided"]
    assert done(place(lab)) == "handled"
    assert gateway.calls == []
    assert said(lab) == ["PaymentVoided"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [("refused", PaymentVoided), ("void", PaymentVoided), ("refunded", PaymentRefunded)],
)
def test_every_cancellation_is_answered(lab: Lab, gateway: Gateway, status: str, answer: Any) -> None:
    place(lab)
    lab.store.overwrite("payments", "o-1", status=status, refund_id="re-1")
    gateway.calls.clear()
    assert done(stop(lab)) == "handled"
    assert type(read(lab.published()[-1])) is answer
    assert gateway.calls == []


@pytest.mark.parametrize("status", ["charged", "refused", "settling", "refunded", "void"])
def test_a_late_order_changes_nothing(lab: Lab, gateway: Gateway, status: str) -> None:
    place(lab)
    lab.store.overwrite("payments", "o-1", status=status)
    gateway.calls.clear()
    assert done(lab.deliver("payment", enveloped(order_placed(), "another"))) == "handled"
    assert lab.state("payment").status == status
    assert gateway.calls == []
    assert len(lab.published()) == 1


AGED = Settings().gateway_key_life - Settings().gateway_key_margin


def test_a_young_intent_is_repeated_and_an_old_one_looked_up(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    lab.clock.time += AGED - 1
    place(lab)
    assert gateway.asked() == ["charge", "charge"]
    lab.clock.time += 2
    gateway.answers["lookup"] = {"status": "charged", "charge_id": "ch-old"}
    assert done(place(lab)) == "handled"
    assert gateway.calls[-1] == ("lookup", {"order_id": "o-1"})
    assert lab.published()[0].data["charge_id"] == "ch-old"


def test_an_old_intent_that_never_reached_the_gateway_is_charged_under_a_new_key(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    lab.clock.time += AGED + 1
    gateway.answers["charge"] = {"status": "charged", "charge_id": "ch-2"}
    assert done(place(lab)) == "handled"
    assert gateway.asked() == ["charge", "lookup", "charge"]
    assert gateway.calls[-1][1]["key"] == "o-1.charge.2"


def test_an_old_intent_of_a_cancelled_order_is_looked_up_and_not_charged_anew(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    lab.clock.time += AGED + 1
    assert done(stop(lab)) == "handled"
    assert gateway.asked() == ["charge", "lookup"]
    assert said(lab) == ["PaymentVoided"]


def test_an_old_charge_of_a_cancelled_order_is_found_and_given_back(lab: Lab, gateway: Gateway) -> None:
    gateway.answers["charge"] = Unavailable("timeout")
    place(lab)
    lab.clock.time += AGED + 1
    gateway.answers["lookup"] = {"status": "charged", "charge_id": "ch-old"}
    assert done(stop(lab)) == "handled"
    assert gateway.calls[-1][1]["charge_id"] == "ch-old"
    assert said(lab) == ["PaymentRefunded"]


@pytest.mark.parametrize("found", ["refunded", "charged"])
def test_an_old_refund_is_looked_up_and_made_once(lab: Lab, gateway: Gateway, found: str) -> None:
    place(lab)
    gateway.answers["refund"] = Unavailable("timeout")
    assert isinstance(stop(lab), Retry)
    lab.clock.time += AGED + 1
    gateway.calls.clear()
    gateway.answers |= {
        "refund": {"status": "refunded", "refund_id": "re-1"},
        "lookup": {"status": found, "charge_id": "ch-1", "refund_id": "re-1"},
    }
    assert done(stop(lab)) == "handled"
    assert gateway.asked() == (["lookup"] if found == "refunded" else ["lookup", "refund"])
    assert said(lab) == ["PaymentCompleted", "PaymentRefunded"]


def test_a_gateway_that_takes_the_money_and_loses_the_answer_takes_it_once(lab: Lab) -> None:
    """The simulated gateway does so for tokens that begin with tok_lost."""
    lost = enveloped(order_placed(payment_token="tok_lost"), "e-p")
    assert isinstance(lab.deliver("payment", lost), Retry)
    assert done(lab.deliver("payment", lost)) == "handled"
    assert [entry["status"] for entry in lab.entries("gateway")] == ["charged"]
