"""The claim check: what is too large for a broker waits in the archive bucket, and no service notices."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from orderflow import archive, topology
from orderflow.claims import MOST_BYTES, PREFIX, Claim, ClaimingPublisher, decode
from orderflow.deadletters import discard
from orderflow.driver import run
from orderflow.envelope import Envelope, Malformed, canonical
from orderflow.ports import Unavailable
from orderflow.processing import Retry, Shell
from orderflow.services import find
from orderflow.settings import Settings
from orderflow_local.memory import MemoryObjects
from unit.support import BEGIN, Lab, done, enveloped, order_placed

MANY = [("CUP", 1)] * 1_500


class Away(MemoryObjects):
    """A bucket that cannot be reached."""

    def put(self, name: str, data: bytes) -> None:
        raise Unavailable("the bucket is away")

    def get(self, name: str) -> bytes:
        raise Unavailable("the bucket is away")


class Untouched(MemoryObjects):
    """A bucket that nobody may as much as look at."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name}: this costs a client and a call")


def large(event_id: str = "e-1", **more: Any) -> Envelope:
    """An order of so many lines that no broker takes it."""
    return enveloped(order_placed(lines=MANY), event_id, **more)


def published(lab: Lab, *envelopes: Envelope) -> list[bytes]:
    """What the broker was given when these were published."""
    before = len(lab.broker.published)
    assert ClaimingPublisher(lab.broker, lab.archive).publish(envelopes) == [None] * len(envelopes)
    return [each.to_bytes() for each in lab.broker.published[before:]]


def claimed(lab: Lab, envelope: Envelope) -> tuple[bytes, str]:
    """A large event as it is delivered, and where its data are."""
    [body] = published(lab, envelope)
    return body, json.loads(body)["dataref"]


def padded_to(size: int) -> Envelope:
    """An event of so many bytes."""
    empty = len(enveloped(order_placed(), note="").to_bytes())
    return enveloped(order_placed(), note="x" * (size - empty))


def test_what_fits_travels_as_it_is_and_touches_no_bucket(lab: Lab) -> None:
    fitting = padded_to(MOST_BYTES)

    answers = ClaimingPublisher(lab.broker, Untouched()).publish([fitting, enveloped(order_placed())])

    assert answers == [None, None]
    assert len(fitting.to_bytes()) == MOST_BYTES
    assert lab.broker.published[0].to_bytes() == fitting.to_bytes()


def test_one_byte_more_leaves_the_data_behind(lab: Lab) -> None:
    [body] = published(lab, padded_to(MOST_BYTES + 1))

    assert "data" not in json.loads(body)
    assert len(lab.archive.names(PREFIX)) == 1


def test_a_claim_is_small_and_says_everything_but_the_data(lab: Lab) -> None:
    envelope = large(tier="high")

    body, dataref = claimed(lab, envelope)

    data = canonical(envelope.data)
    assert len(data) > MOST_BYTES
    assert len(body) < 2_000
    assert lab.archive.get(dataref) == data
    said = {name: value for name, value in envelope.to_dict().items() if name != "data"}
    assert json.loads(body) == {**said, "dataref": dataref, "datasha256": hashlib.sha256(data).hexdigest()}
    assert decode(body).attributes() == envelope.attributes(), "subscriptions filter it like any other"


def test_a_claim_that_is_changed_is_still_a_claim(lab: Lab) -> None:
    body, _ = claimed(lab, large())

    assert isinstance(decode(body).replace(signature="s"), Claim)


def test_the_largest_event_that_travels_fits_every_broker_with_a_reason_however_it_is_written() -> None:
    """In ASCII a character of two bytes takes six; Service Bus leaves 192 KB of its 256 beside the properties."""
    longest = 3 * MOST_BYTES
    assert len(json.dumps("é")) - 2 == 3 * len("é".encode())
    assert len(json.dumps("\U0001f40e")) - 2 == 3 * len("\U0001f40e".encode())
    assert longest + 64 * 1024 <= 256 * 1024


def test_a_service_sees_a_claimed_event_as_it_was_published(lab: Lab) -> None:
    envelope = large()
    body, _ = claimed(lab, envelope)

    assert done(lab.deliver("payment", body)) == "handled"

    assert lab.state("payment").amount == 1_500_000
    assert done(lab.deliver("payment", envelope)) == "duplicate", "the event is one, however it travels"


def test_an_order_of_very_many_lines_is_shipped_like_any_other(lab: Lab) -> None:
    lab.ports.publisher = ClaimingPublisher(lab.broker, lab.archive)
    lab.stock("CUP", 2_000)
    lab.customer()
    event = lab.place(lines=MANY, price=500, publish=False)  # Not so dear that it is suspected.
    lab.ports.publisher.publish([event])

    lab.run_to_rest()

    assert lab.state("order").status == "shipped"
    assert lab.archive.names(PREFIX)
    assert all(len(each.to_bytes()) <= MOST_BYTES for each in lab.broker.published)


def test_the_same_id_with_other_large_data_is_refused(lab: Lab) -> None:
    body, _ = claimed(lab, large())
    other, _ = claimed(lab, enveloped(order_placed(lines=[*MANY, ("CUP", 1)])))
    assert done(lab.deliver("payment", body)) == "handled"

    assert done(lab.deliver("payment", other)) == "dead-lettered"

    assert [letter.reason for letter in lab.letters("payment")] == ["id-reused"]
    assert len(lab.archive.names(PREFIX)) == 2, "neither wrote over the other's data"


def test_data_that_are_missing_are_waited_for_then_the_event_is_put_aside_and_can_be_redriven(lab: Lab) -> None:
    body, dataref = claimed(lab, large())
    data = lab.archive.get(dataref)
    lab.archive._objects.clear()

    for _ in range(find("payment").limits.max_attempts - 1):
        assert isinstance(lab.deliver("payment", body), Retry)
    assert done(lab.deliver("payment", body)) == "dead-lettered"

    [letter] = lab.letters("payment")
    assert letter.reason == "attempts-exhausted"
    assert letter.detail == f"MissingClaim: the event's data are not in the archive bucket at {dataref}"
    assert letter.body == body
    lab.archive.put(dataref, data)
    assert done(lab.deliver("payment", letter.body)) == "handled"


def test_a_bucket_that_does_not_answer_costs_no_attempt(lab: Lab) -> None:
    body, _ = claimed(lab, large())
    lab.ports.archive = Away()

    for _ in range(3 * find("payment").limits.max_attempts):
        outcome = lab.deliver("payment", body)
        assert isinstance(outcome, Retry)
        assert "the bucket is away" in outcome.reason

    assert lab.letters("payment") == []


@pytest.mark.parametrize("there", [b"{}", b"", b"not json"])
def test_data_that_somebody_changed_are_refused(lab: Lab, there: bytes) -> None:
    body, dataref = claimed(lab, large())
    lab.archive.put(dataref, there)

    assert done(lab.deliver("payment", body)) == "dead-lettered"

    [letter] = lab.letters("payment")
    assert letter.reason == "bad-claim"
    assert dataref in letter.detail
    assert lab.state("payment") is None


@pytest.mark.parametrize(
    "reference",
    [
        {"dataref": "https://example.com/x.json"},
        {"dataref": "events/2026/11/21/x.jsonl"},
        {"dataref": f"claims/../{'a' * 64}.json"},
        {"datasha256": "a" * 64},
        {"datasha256": None},
        {"datasha256": 7},
    ],
)
def test_whoever_publishes_does_not_choose_what_is_read(lab: Lab, reference: dict[str, Any]) -> None:
    body, _ = claimed(lab, large())
    lab.ports.archive = Untouched()

    assert done(lab.deliver("payment", json.dumps({**json.loads(body), **reference}).encode())) == "dead-lettered"

    assert [letter.reason for letter in lab.letters("payment")] == ["bad-claim"]


def test_data_that_are_no_event_are_malformed(lab: Lab) -> None:
    body, _ = claimed(lab, large().replace(data={"order_id": "o-1", "note": "x" * MOST_BYTES}))

    assert done(lab.deliver("payment", body)) == "dead-lettered"

    assert [letter.reason for letter in lab.letters("payment")] == ["malformed"]


def test_an_event_that_has_its_data_needs_no_reference(lab: Lab) -> None:
    """The extension allows both."""
    lab.ports.archive = Untouched()

    assert done(lab.deliver("payment", enveloped(order_placed(), dataref="https://example.com/x"))) == "handled"


@pytest.mark.parametrize("missing", ["id", "type", "subject"])
def test_a_claim_is_held_to_the_rules_of_any_event(lab: Lab, missing: str) -> None:
    body, _ = claimed(lab, large())
    less = {name: value for name, value in json.loads(body).items() if name != missing}

    with pytest.raises(Malformed, match=f"^{missing}: "):
        decode(json.dumps(less).encode())


def test_where_data_cannot_be_stored_their_event_is_not_published_and_others_are(lab: Lab) -> None:
    small = enveloped(order_placed(), "e-2")

    answers = ClaimingPublisher(lab.broker, Away()).publish([large(), small])

    assert [str(answer) for answer in answers] == ["the bucket is away", "None"]
    assert [each.id for each in lab.broker.published] == ["e-2"]


def test_each_event_gets_its_own_answer_from_the_broker(lab: Lab) -> None:
    refused = Unavailable("not that one")
    lab.broker.refuses = lambda envelope: refused if envelope.id == "e-3" else None
    envelopes: Sequence[Envelope] = [large("e-1"), enveloped(order_placed(), "e-2"), large("e-3")]

    assert ClaimingPublisher(lab.broker, lab.archive).publish(envelopes) == [None, None, refused]


def test_a_claim_that_a_saga_waits_for_is_not_thrown_away(lab: Lab) -> None:
    body, dataref = claimed(lab, large())
    lab.archive._objects.clear()
    for _ in range(find("payment").limits.max_attempts):
        lab.deliver("payment", body)
    [letter] = lab.letters("payment")
    shell = Shell(Settings(), lab.clock, Random(1))

    lost = run(discard(shell, find("payment"), letter), lab.ports)
    lab.archive.put(dataref, canonical(large().data))
    found = run(discard(shell, find("payment"), letter), lab.ports)
    lab.deliver("payment", body)
    absorbed = run(discard(shell, find("payment"), replace(letter)), lab.ports)

    assert lost is not None
    assert dataref in lost
    assert found is not None
    assert "has not absorbed it" in found
    assert absorbed is None


def test_the_archive_has_the_claim_and_its_data_in_one_bucket(lab: Lab) -> None:
    envelope = large()
    body, _ = claimed(lab, envelope)
    lab.archive.put(archive.object_name(BEGIN, "1"), archive.lines([body]))

    [event] = archive.read(lab.archive, BEGIN - 1, BEGIN + 1)

    assert isinstance(event, Claim)
    assert done(lab.deliver("payment", event.to_bytes())) == "handled", "a replay hands over the claim"


@pytest.mark.parametrize("name", ["self", "cls", "id", "\\ud800", "dataref"])
@pytest.mark.parametrize("value", ["1", "1e999", "9" * 40, '"\\ud800"', "[" * 500 + "]" * 500, "NaN"])
def test_whatever_a_message_without_data_holds_it_is_put_aside_and_nothing_breaks(
    lab: Lab, name: str, value: str
) -> None:
    body = f'{{"dataref": "claims/x.json", "{name}": {value}}}'
    assert done(lab.deliver("payment", body.encode())) == "dead-lettered"
    [letter] = lab.letters("payment")
    assert (letter.reason, letter.body) == ("malformed", body.encode())


def test_claims_are_declared_where_the_archive_is_so_that_both_are_kept_as_long() -> None:
    declared = topology.build()
    [sink] = [each for each in declared["services"].values() if each["trigger"] == "sink"]
    assert declared["claims"] == {"bucket": sink["bucket"], "prefix": PREFIX, "above_bytes": MOST_BYTES}
    assert not PREFIX.startswith(sink["prefix"])
