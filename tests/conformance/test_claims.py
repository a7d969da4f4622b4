"""The claim check: data that no broker takes wait in the object store, and no service notices."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import pytest

from conformance.probes import Broker
from conformance.test_broker import OURS, collect, event
from conformance.world import World, fact, order
from orderflow.claims import MOST_BYTES, Claim, ClaimingPublisher, decode, redeem
from orderflow.driver import run
from orderflow.envelope import Envelope, canonical
from orderflow.events import NotificationRequested
from orderflow.keys import safe_key
from orderflow.ports import DeadLetter
from orderflow_local.memory import MemoryObjects
from waiting import wait_until

LARGE = 400_000
"""Above what any broker takes but Pub/Sub."""


@pytest.mark.case(1, needs="claim check")
def test_an_event_larger_than_brokers_take_arrives_whole(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = event({"text": "é" * LARGE}, tier="high")
    world.publish(sent)

    [message] = collect(probe, 1)

    claim = decode(message.body)
    assert isinstance(claim, Claim)
    assert len(message.body) < MOST_BYTES
    assert sent.attributes().items() <= message.attributes.items()
    assert run(redeem(claim), world.ports).digest() == sent.digest()


@pytest.mark.case(1, needs="claim check")
def test_a_function_handles_an_event_larger_than_brokers_take(world: World) -> None:
    customer = f"customer-{uuid.uuid4()}"
    world.customer(customer=customer)
    request = message_to(customer, "é" * LARGE)

    world.publish(fact(request))

    wait_until(lambda: sent(world, request) != [], "the message to be sent")
    assert [entry["length"] > LARGE for entry in sent(world, request)] == [True]


@pytest.mark.case(1, needs="claim check")
def test_an_order_of_more_lines_than_a_message_holds_is_shipped(world: World) -> None:
    sku = world.stocked(2_000, price=1)
    client = world.customer()
    answer = client.post("/orders", json=order(*[sku] * 1_200))
    if answer.status_code == 422 and world.machine is None:
        pytest.skip("this deployment's max_lines allows no order that is so large")
    assert answer.status_code == 202, answer.text
    order_id = answer.json()["order_id"]

    assert world.ended(client, order_id)["status"] == "shipped"
    world.at_rest([order_id], {sku: 2_000})

    [first] = [each for each in world.emitted(order_id) if each.kind == "OrderPlaced"]
    assert len(first.to_bytes()) > MOST_BYTES
    assert world.letters(order_id) == []


@pytest.mark.case(1, needs="claim check")
def test_an_event_whose_data_are_missing_is_put_aside_and_handled_when_they_are_back(world: World) -> None:
    request = message_to(f"customer-{uuid.uuid4()}", "x" * LARGE)
    body, attributes, data = claimed(fact(request))
    neighbour = message_to(f"customer-{uuid.uuid4()}", "x")
    world.deliver("email", body, attributes)
    world.publish(fact(neighbour))

    wait_until(lambda: world.state("email", neighbour.notification_id) is not None, "the neighbour to be handled")
    letter = letter_of(world, body)

    dataref = decode(body).to_dict()["dataref"]
    assert letter.reason == "attempts-exhausted"
    assert dataref in letter.detail
    assert letter.body == body
    assert world.state("email", request.notification_id) is None

    world.ports.archive.put(dataref, data)
    assert world.redrive(letter) is None
    wait_until(lambda: world.state("email", request.notification_id) is not None, "the message to be handled")


@pytest.mark.case(1, needs="claim check")
def test_data_that_somebody_has_changed_are_not_handled(world: World) -> None:
    request = message_to(f"customer-{uuid.uuid4()}", "x" * LARGE)
    body, attributes, data = claimed(fact(request))
    world.ports.archive.put(decode(body).to_dict()["dataref"], data.replace(b"x", b"y", 1))

    world.deliver("email", body, attributes)

    assert letter_of(world, body).reason == "bad-claim"
    assert world.state("email", request.notification_id) is None


def message_to(customer: str, reason: str) -> NotificationRequested:
    """A message to a customer, as large as its reason."""
    return NotificationRequested(
        notification_id=str(uuid.uuid4()),
        order_id=str(uuid.uuid4()),
        customer_id=customer,
        channel="email",
        template="cancelled",
        values={"order": "1", "reason": reason},
    )


def sent(world: World, request: NotificationRequested) -> Sequence[dict[str, int]]:
    """What the e-mail provider's books say of a message."""
    stored = world.ports.store.get("messages", safe_key(request.notification_id))
    return list(stored.document["entries"].values()) if stored else []


def claimed(envelope: Envelope) -> tuple[bytes, dict[str, str], bytes]:
    """An event as it is delivered, its attributes, and its data, which nobody has stored yet."""
    [small] = _Kept().of(envelope)
    return small.to_bytes(), small.attributes(), canonical(envelope.data)


class _Kept:
    """A topic of which nobody hears."""

    def __init__(self) -> None:
        self._envelopes: list[Envelope] = []

    def of(self, envelope: Envelope) -> list[Envelope]:
        assert ClaimingPublisher(self, MemoryObjects()).publish([envelope]) == [None]
        return self._envelopes

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        self._envelopes += envelopes
        return [None] * len(envelopes)


def letter_of(world: World, body: bytes) -> DeadLetter:
    """The dead letter of a message to the e-mail service."""
    return world.letter(decode(body).id, "email")
