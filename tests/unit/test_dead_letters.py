"""What an operator may do with a dead letter, and what is refused, each time with a reason that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from orderflow import deadletters, replay
from orderflow.driver import run
from orderflow.envelope import PREFIX, Envelope, rfc3339
from orderflow.events import InventoryReserved
from orderflow.files import RECEIPTS
from orderflow.ports import DeadLetter, Unavailable
from orderflow.processing import Retry, Shell
from orderflow.services import find
from orderflow.settings import Settings
from unit.support import BEGIN, Lab, done, enveloped, order_placed

DAY = 86_400.0
PLACED = enveloped(order_placed(), "e-p")


def bury(lab: Lab, service: str, message: Envelope | bytes = PLACED) -> DeadLetter:
    """Put a message into a service's dead-letter queue."""
    envelope = message if isinstance(message, Envelope) else None
    lab.broker.send(
        DeadLetter(
            service=service,
            body=envelope.to_bytes() if envelope else message,  # type: ignore[arg-type]  # bytes then
            attributes=envelope.attributes() if envelope else {},
            reason="attempts-exhausted",
            detail="d",
            attempts=5,
            first_at=rfc3339(BEGIN),
            last_at=rfc3339(BEGIN),
            event_id=envelope.id if envelope else "",
        )
    )
    letter: DeadLetter = lab.letters(service)[-1]
    return letter


def redrive(lab: Lab, letter: DeadLetter, settings: Settings | None = None) -> str | None:
    """Redrive a letter, perhaps with other settings than the services have."""
    shell = Shell(settings or lab.settings, lab.clock, lab.shell.random)
    answer: str | None = run(deadletters.redrive(shell, find(letter.service), letter), lab.ports)
    return answer


def discard(lab: Lab, letter: DeadLetter) -> str | None:
    """Throw a letter away."""
    answer: str | None = run(deadletters.discard(lab.shell, find(letter.service), letter), lab.ports)
    return answer


def test_a_redriven_message_is_in_its_services_queue_again_and_no_letter_any_more(lab: Lab) -> None:
    assert redrive(lab, bury(lab, "payment")) is None
    assert lab.letters("payment") == []
    [again] = lab.broker.queues["payment"]
    assert (again.body, again.attributes) == (PLACED.to_bytes(), PLACED.attributes())
    assert done(lab.deliver("payment", again)) == "handled"


def test_a_redriven_message_may_fail_as_often_as_a_new_one(lab: Lab) -> None:
    lab.simulate("gateway", "down")
    lab.ports.dependencies["gateway"] = Down()  # type: ignore[index]
    lab.shell = Shell(Settings(breaker_failures=100), lab.clock, lab.shell.random)
    outcomes = [lab.deliver("payment", PLACED) for _ in range(5)]
    assert [isinstance(outcome, Retry) for outcome in outcomes] == [True, True, True, True, False]
    [letter] = lab.letters("payment")
    lab.deliver("payment", PLACED)
    assert redrive(lab, letter) is None
    outcomes = [lab.deliver("payment", PLACED) for _ in range(5)]
    assert [isinstance(outcome, Retry) for outcome in outcomes] == [True, True, True, True, False]


class Down:
    """A gateway that never answers."""

    def charge(self, **_: Any) -> Any:
        raise Unavailable("down")


def test_a_message_that_nobody_can_read_may_be_redriven_to_a_newer_deployment(lab: Lab) -> None:
    assert redrive(lab, bury(lab, "payment", b"{")) is None
    assert [each.body for each in lab.broker.queues["payment"]] == [b"{"]


def test_a_letter_from_before_documents_were_deleted_stays_and_the_refusal_says_how_old_it_is(lab: Lab) -> None:
    letter = bury(lab, "payment")
    lab.clock.time += 10 * DAY
    refusal = redrive(lab, letter, Settings(saga_retention=7 * DAY))
    assert refusal is not None
    assert "is 10.0 days old, the documents of payment are kept for 7.0" in refusal
    assert lab.letters("payment") == [letter]
    assert not lab.broker.queues["payment"]


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        (find("order"), True),  # It emits.
        (find("inventory"), True),  # It emits and writes what is not its own.
        (find("payment"), True),  # It emits and calls.
        (find("email"), True),  # It calls, and emits nothing.
        (RECEIPTS, True),
        (find("analytics"), False),  # Its documents can be dropped and built anew.
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_old_events_are_not_replayed_into_a_service_that_has_any_effect(service: Any, refused: bool) -> None:
    settings = Settings(saga_retention=7 * DAY)
    assert (replay.refusal(service, rfc3339(BEGIN), BEGIN + 8 * DAY, settings) is not None) == refused
    assert replay.refusal(service, rfc3339(BEGIN), BEGIN + 7 * DAY, settings) is None
    assert replay.refusal(service, rfc3339(BEGIN), BEGIN + 800 * DAY, Settings()) is None, "kept for ever"


def test_a_letter_that_an_order_waits_for_is_kept(lab: Lab) -> None:
    letter = bury(lab, "payment")
    refusal = discard(lab, letter)
    assert refusal is not None
    assert refusal.startswith("payment has not absorbed it")
    assert "redrive" in refusal
    assert lab.letters("payment") == [letter]


def test_a_letter_whose_event_was_absorbed_goes_and_what_it_stood_for_is_published(lab: Lab) -> None:
    lab.deliver("payment", PLACED)
    [completed] = lab.published()
    assert discard(lab, bury(lab, "payment")) is None
    assert lab.letters("payment") == []
    assert [each.to_bytes() for each in lab.published()] == [completed.to_bytes()] * 2


@pytest.mark.parametrize(
    ("service", "message"),
    [
        ("payment", b"{"),
        ("payment", enveloped(order_placed(), "e-1", type=f"{PREFIX}Nonsense.v1", kind="Nonsense")),
        ("payment", enveloped(InventoryReserved(order_id="o-1", customer_id="zoe", lines=()), "e-2")),
        ("payment", enveloped(order_placed(), "e-3", data={"order_id": "o-1"})),
        ("analytics", PLACED),
        ("notification", PLACED),
    ],
    ids=["unreadable", "unknown", "not heard", "broken", "analytics", "messages"],
)
def test_a_letter_that_nobody_waits_for_may_be_thrown_away(lab: Lab, service: str, message: Envelope | bytes) -> None:
    assert discard(lab, bury(lab, service, message)) is None
    assert lab.letters(service) == []


def test_a_message_to_a_customer_that_was_not_asked_for_yet_may_be_thrown_away(lab: Lab) -> None:
    """Nobody waits for an answer: it is the operator's to say that it is not sent any more."""
    from orderflow.events import OrderConfirmed

    confirmed = OrderConfirmed(
        order_id="o-1", customer_id="zoe", total=1, currency="EUR", tier="standard", placed_at=rfc3339(BEGIN)
    )
    assert discard(lab, bury(lab, "notification", enveloped(confirmed))) is None
    assert lab.published() == []


def test_a_letter_in_a_version_that_is_not_known_here_is_kept_for_a_newer_deployment(lab: Lab) -> None:
    letter = bury(lab, "payment", enveloped(order_placed(), "e-9", type=f"{PREFIX}OrderPlaced.v99"))
    refusal = discard(lab, letter)
    assert refusal is not None
    assert refusal == "another version of this event is known: a newer deployment may know this one"
    assert lab.letters("payment") == [letter]
