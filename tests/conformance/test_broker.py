"""The topic and what is subscribed to it: publish, fan-out, filters, redelivery, strange content."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from conformance.probes import Broker, Probe, Received
from conformance.world import World
from orderflow.claims import MOST_BYTES, decode
from orderflow.envelope import Envelope, rfc3339
from orderflow.services import find
from waiting import wait_until

TIERS, CHANNELS = ("standard", "elevated", "high"), ("email", "sms", "push")
WEIRD = [
    "a/b/c", "../..", "back\\slash", "\"quotes\" 'both'", " spaces ", "0digit", "☺☺☺", "naïve café", "\u2028\u2029",
    "<tag>&amp;", "%2F%00", "'; drop table orders; --", "${jndi}", "\ufeffbom", "🏴\U000e0067\U000e0062",
    "tab\tnew\nline\rreturn", "\x7f", "null", "true", "",
]  # fmt: skip


def event(data: dict[str, Any], **more: Any) -> Envelope:
    """An event that no service hears, so that only probes take notice."""
    return Envelope(
        **{
            "id": str(uuid.uuid4()),
            "source": "/conformance",
            "type": "com.example.orderflow.ConformanceProbed.v1",
            "subject": "conformance",
            "time": rfc3339(1_800_000_000),
            "correlationid": "conformance",
            "kind": "ConformanceProbed",
            "category": "conformance",
            "data": data,
            **more,
        }
    )


def collect(probe: Probe, count: int) -> list[Received]:
    """So many messages of our own, each acknowledged; the workflow's own events, which come by, are passed over."""
    found: list[Received] = []

    def enough() -> bool:
        for message in probe.receive():
            probe.acknowledge(message)
            if ours(message):
                found.append(message)
        return len({decode(message.body).id for message in found}) >= count

    wait_until(enough, f"{count} messages")
    return found


def ours(message: Received) -> bool:
    return b"ConformanceProbed" in message.body


OURS = {"kind": ["ConformanceProbed"]}


@pytest.mark.case(1, needs="topic")
def test_an_event_arrives_as_it_was_published_with_its_attributes(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = event(
        {"name": "Zoë Ångström 千代 🐎", "deep": {"list": [1, 2.5, None, True, {}]}}, tier="high", channel="sms"
    )
    world.publish(sent)

    [message] = collect(probe, 1)

    received = decode(message.body)
    assert received.digest() == sent.digest()
    assert received.to_dict() == sent.to_dict()
    assert sent.attributes().items() <= message.attributes.items()


@pytest.mark.case(1, needs="topic")
def test_a_batch_larger_than_a_call_takes_arrives_whole(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = [event({"number": number}) for number in range(25)]
    world.publish(*sent)

    received = collect(probe, 25)

    assert {decode(message.body).id for message in received} == {each.id for each in sent}


@pytest.mark.case(1, needs="topic")
def test_the_emptiest_event_and_the_largest_that_travels_with_its_data_arrive(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    largest = event({"text": ""})
    room = MOST_BYTES - len(largest.to_bytes())
    sent = [event({}), event({"text": "é" * (room // 2)})]
    world.publish(*sent)

    received = {decode(message.body).id: decode(message.body) for message in collect(probe, 2)}

    assert [received[each.id].data for each in sent] == [each.data for each in sent]


@pytest.mark.case(2, needs="topic")
def test_every_subscriber_gets_every_event(world: World, broker: Broker) -> None:
    probes = [broker.probe(OURS), broker.probe(OURS)]
    sent = [event({"number": number}) for number in range(3)]
    world.publish(*sent)

    for probe in probes:
        assert {decode(message.body).id for message in collect(probe, 3)} == {each.id for each in sent}


@pytest.mark.case(2, needs="filters")
def test_a_filter_lets_through_what_the_services_guard_lets_through(world: World, broker: Broker) -> None:
    """What a broker lets through beyond its filter (the Pub/Sub emulator does), the shell's guard keeps back: here the
    guard is held against the same messages."""
    sent = [event({}, tier=tier, channel=channel) for tier in TIERS for channel in CHANNELS]
    filters: list[dict[str, list[str]]] = [
        {**OURS, "tier": ["high"]},
        {**OURS, "channel": ["sms"]},
        {**OURS, "tier": ["elevated", "high"], "channel": ["email"]},
    ]
    probes = [broker.probe(each) for each in filters]
    world.publish(*sent)

    for each, probe in zip(filters, probes, strict=True):
        wanted = {envelope.id for envelope in sent if lets_through(each, envelope.attributes())}
        received = [decode(message.body) for message in collect(probe, len(wanted))]
        assert {envelope.id for envelope in received if lets_through(each, envelope.attributes())} == wanted


def lets_through(filters: dict[str, list[str]], attributes: dict[str, str]) -> bool:
    """The guard, as every service has it."""
    guarded = replace(find("analytics"), filter={name: tuple(values) for name, values in filters.items()})
    return guarded.lets_through(attributes)


@pytest.mark.case(2, needs="topic")
def test_a_late_subscriber_gets_what_comes_after_it(world: World, broker: Broker) -> None:
    early = broker.probe(OURS)
    before, after = event({"when": "before"}), event({"when": "after"})
    world.publish(before)
    collect(early, 1)
    late = broker.probe(OURS)
    world.publish(after)

    assert [decode(message.body).id for message in collect(late, 1)] == [after.id]


@pytest.mark.case(3, needs="redelivery")
def test_what_is_given_back_comes_again_and_the_count_grows(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = event({})
    world.publish(sent)

    counts = []
    for _ in range(3):
        message = one(probe, sent.id)
        counts.append(message.receives)
        probe.give_back(message)
    last = one(probe, sent.id)
    probe.acknowledge(last)

    assert last.body == message.body
    assert counts in ([1, 2, 3], [0, 0, 0]), "the broker counts receives, or says that it does not"


@pytest.mark.case(3, needs="redelivery")
def test_what_nobody_acknowledged_comes_again_when_its_lease_ends(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = event({})
    world.publish(sent)

    first = one(probe, sent.id)
    again = one(probe, sent.id)  # the consumer died: no acknowledgement, nothing given back
    probe.acknowledge(again)

    assert decode(again.body).digest() == decode(first.body).digest()


@pytest.mark.case(3, needs="redelivery")
def test_acknowledging_twice_and_giving_back_what_is_gone_do_no_harm(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    first, second = event({}), event({})
    world.publish(first)
    message = one(probe, first.id)
    probe.acknowledge(message)
    for settle in (probe.acknowledge, probe.give_back):
        with suppress(Exception):  # Each SDK may say so in its own words, or nothing.
            settle(message)
    world.publish(second)

    assert decode(one(probe, second.id).body).id == second.id


def one(probe: Probe, event_id: str) -> Received:
    """The next handing-over of one event."""
    found: list[Received] = []

    def there() -> bool:
        found.extend(message for message in probe.receive(1) if decode(message.body).id == event_id)
        return bool(found)

    wait_until(there, f"event {event_id}")
    return found[0]


@pytest.mark.case(24, needs="topic")
def test_weird_strings_travel_unharmed_in_data(world: World, broker: Broker) -> None:
    probe = broker.probe(OURS)
    sent = event({"values": WEIRD, **{f"key {text}": text for text in WEIRD}})
    world.publish(sent)

    [message] = collect(probe, 1)

    assert decode(message.body).data == sent.data


@pytest.mark.case(24, needs="topic")
def test_an_event_with_everything_has_at_most_ten_attributes_and_keeps_them(world: World, broker: Broker) -> None:
    """Raw delivery to SQS drops messages with more than ten."""
    probe = broker.probe(OURS)
    sent = event(
        {},
        tier="high",
        channel="email",
        causationid=str(uuid.uuid4()),
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        tracestate="vendor=1",
        partitionkey="o-1",
        dataschema="urn:orderflow:ConformanceProbed:v1",
    )
    world.publish(sent)

    [message] = collect(probe, 1)

    assert decode(message.body).to_dict() == sent.to_dict()
    assert len(sent.attributes()) <= 10
    assert sent.attributes().items() <= message.attributes.items()


@pytest.mark.case(19, needs="ordering")
def test_while_an_event_is_with_a_consumer_the_later_ones_of_its_order_wait_and_other_orders_do_not(
    broker: Broker,
) -> None:
    probe, publisher = broker.ordered(OURS)
    one_order, other_order = str(uuid.uuid4()), str(uuid.uuid4())
    a, b, c = (event({"name": name}, partitionkey=one_order) for name in "ABC")
    other = event({}, partitionkey=other_order)
    assert publisher.publish([a]) == [None]
    first = one(probe, a.id)

    assert publisher.publish([b, other, c]) == [None] * 3
    [meanwhile] = collect(probe, 1)
    probe.acknowledge(first)
    later = collect(probe, 2)

    assert decode(meanwhile.body).id == other.id
    assert [decode(message.body).id for message in later] == [b.id, c.id]


@pytest.mark.case(19, needs="ordering")
def test_while_an_event_is_given_back_the_later_ones_of_its_order_wait_and_other_orders_do_not(broker: Broker) -> None:
    """The consumer gives back what it cannot do yet and, as a function does, what is after it in its batch."""
    probe, publisher = broker.ordered(OURS)
    one_order, other_order = str(uuid.uuid4()), str(uuid.uuid4())
    a, b, c = (event({"name": name}, partitionkey=one_order) for name in "ABC")
    other = event({"name": "other"}, partitionkey=other_order)
    for batch in ([a], [b, other], [c]):
        assert publisher.publish(batch) == [None] * len(batch)
    tried: list[str] = []

    def consume() -> bool:
        held = False
        for message in probe.receive():
            envelope = decode(message.body)
            if envelope.partitionkey not in (one_order, other_order):
                probe.acknowledge(message)
                continue
            if held and envelope.partitionkey == one_order:
                probe.give_back(message)
                continue
            tried.append(envelope.data["name"])
            if envelope.id == a.id and (tried.count("A") == 1 or "other" not in tried):
                held = True
                probe.give_back(message)
            else:
                probe.acknowledge(message)
        return {"C", "other"} <= set(tried)

    wait_until(consume, "the last event of both orders")
    failures = tried.count("A")
    assert failures >= 2
    assert [name for name in tried if name != "other"] == ["A"] * failures + ["B", "C"]
