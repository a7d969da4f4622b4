"""What stands in the dead letters, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.desk import desk
from orderflow.ports import DeadLetter, Delivery, Unavailable
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo
from orderflow_cli.ops.letters import Choice, handle, look
from unit.support import Lab, enveloped, order_placed


@pytest.fixture
def dead(lab: Lab) -> Lab:
    """A laboratory with three dead letters: payment gave up on an order, inventory on bytes that are no event, and an
    hour later email on an event that it does not know."""
    lab.customer()
    event = lab.place("o-1", publish=False)
    lab.simulate("gateway", "down")
    for _ in range(40):
        if lab.letters("payment"):
            break
        lab.deliver("payment", Delivery(event.to_bytes(), event.attributes()))
        lab.clock.time += 100
    lab.simulate("gateway", "ok")
    lab.deliver("inventory", b"no event")
    lab.clock.time += 3600
    unknown = enveloped(order_placed("o-9"), event_id="e-9").replace(
        type="com.example.orderflow.NotificationRequested.v9", kind="NotificationRequested", channel="email"
    )
    lab.deliver("email", Delivery(unknown.to_bytes(), unknown.attributes()))
    return lab


def ids(lab: Lab, **choice: Any) -> list[str]:
    return [letter.service for letter in look(desk(lab), Choice(**choice))]


def test_letters_are_found_by_service_reason_id_order_and_age(dead: Lab) -> None:
    everything = look(desk(dead), Choice())

    assert [letter.service for letter in everything] == ["payment", "inventory", "email"]
    assert ids(dead, service="payment") == ["payment"]
    assert ids(dead, reason="malformed") == ["inventory"]
    assert ids(dead, ids=("e-9",)) == ids(dead, ids=("e",)) == ["email"]
    assert ids(dead, order_id="o-1") == ["payment"]
    assert ids(dead, older_than=1800.0) == ["payment", "inventory"]
    assert ids(dead, younger_than=1800.0) == ["email"]
    assert ids(dead, service="payment", reason="malformed") == []


def test_a_letter_has_the_same_id_each_time_also_where_it_is_no_event(dead: Lab) -> None:
    [letter] = look(desk(dead), Choice(service="inventory"))
    [again] = look(desk(dead), Choice(ids=(letter.letter_id,)))

    assert letter.letter_id.startswith("body-")
    assert again.payload() == "no event"


def test_a_service_without_dead_letters_is_refused_with_those_that_have_them() -> None:
    with pytest.raises(CannotDo, match="'api' has no") as refused:
        look(desk(Lab.make()), Choice(service="api"))
    assert "payment" in refused.value.hint
    assert refused.value.code == Exit.USAGE


def test_a_redrive_hands_the_message_to_its_own_service_and_takes_the_letter_away(dead: Lab) -> None:
    doors = desk(dead)

    [handled] = handle(doors, "redrive", look(doors, Choice(order_id="o-1")))
    dead.run_to_rest()

    assert handled.left is None
    assert ids(dead) == ["inventory", "email"]
    assert dead.state("payment").status == "charged"
    assert dead.published("OrderPlaced") == []


def test_a_discard_keeps_what_an_order_waits_for_and_says_so(dead: Lab) -> None:
    doors = desk(dead)

    handled = {each.letter.service: each.left for each in handle(doors, "discard", look(doors, Choice()))}

    assert handled["inventory"] is None
    assert handled["payment"] is not None
    assert "the order would never come to rest" in handled["payment"]
    assert ids(dead) == ["payment", "email"]


def test_a_letter_that_cannot_be_reached_is_left_and_the_others_are_done(
    dead: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    resend = dead.broker.resend

    def failing(letter: DeadLetter) -> None:
        if letter.service == "payment":
            raise Unavailable("SQS SendMessage: InternalError")
        resend(letter)

    monkeypatch.setattr(dead.broker, "resend", failing)
    doors = desk(dead)

    handled = {each.letter.service: each.left for each in handle(doors, "redrive", look(doors, Choice()))}

    assert handled["payment"] == "not reached: SQS SendMessage: InternalError"
    assert handled["inventory"] is None
    assert ids(dead) == ["payment"]


def test_a_rate_is_kept(dead: Lab) -> None:
    doors, began = desk(dead), dead.clock.now()

    list(handle(doors, "redrive", look(doors, Choice()), per_second=0.1))

    assert dead.clock.now() - began == pytest.approx(20)


def test_a_letter_whose_data_travelled_apart_is_known_by_its_order() -> None:
    lab = Lab.make()
    claim = enveloped(order_placed("o-7"), event_id="e-7").to_dict()
    claim = {**claim, "partitionkey": "o-7", "dataref": "claims/gone.json"}
    del claim["data"]
    letter = DeadLetter("payment", json.dumps(claim).encode(), {}, "x", "", 1, "", "2026-11-21T00:00:00Z", "e-7")
    lab.broker.send(letter)

    [found] = look(desk(lab), Choice(order_id="o-7"))

    assert (found.letter_id, found.service) == ("e-7", "payment")
