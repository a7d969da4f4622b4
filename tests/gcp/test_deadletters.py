"""The dead-letter port on Pub/Sub, and the letters that Pub/Sub itself put there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from contracts.dead_letter_contract import LETTER, DeadLetterContract
from gcp.conftest import PROJECT, Brokers, Desk
from orderflow.ports import DeadLetterBox, Delivery, Unavailable
from orderflow_gcp.deadletters import PubSubDeadLetters
from waiting import wait_until

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def box(emulated: Brokers, prefix: str, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> DeadLetterBox:
    """Dead-letter and redrive topics of two services, each with its subscription."""
    monkeypatch.setattr("orderflow_gcp.deadletters._LOOK_SECONDS", 0.3)
    for service in ("payment", "order"):
        for suffix in ("dlq", "redrive"):
            desk.subscribe(f"{service}-{suffix}", desk.topic(f"{service}-{suffix}"), ack_deadline_seconds=60)
    return PubSubDeadLetters(PROJECT, prefix)


class TestPubSubDeadLetters(DeadLetterContract):
    """The contract of the dead-letter port."""

    @pytest.fixture(autouse=True)
    def queues(self, desk: Desk, prefix: str) -> Iterator[None]:
        self._desk, self._prefix = desk, prefix
        yield

    def queued(self, service: str) -> list[Delivery]:
        answer = self._desk.subscriber.pull(
            request={
                "subscription": f"projects/{PROJECT}/subscriptions/{self._prefix}-{service}-redrive",
                "max_messages": 10,
                "return_immediately": True,
            }
        )
        return [Delivery(each.message.data, dict(each.message.attributes)) for each in answer.received_messages]


def test_what_the_broker_gave_up_is_shown_beside_ours(box: DeadLetterBox, desk: Desk, prefix: str) -> None:
    topic = desk.topic("events")
    policy = {"dead_letter_topic": f"projects/{PROJECT}/topics/{prefix}-payment-dlq", "max_delivery_attempts": 5}
    subscription = desk.subscribe("payment", topic, dead_letter_policy=policy)
    desk.publish(topic, b"crashes", kind="OrderPlaced")
    for _ in range(5):
        [received] = desk.subscriber.pull(
            subscription=subscription, max_messages=1, timeout=60, retry=None
        ).received_messages
        desk.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=[received.ack_id], ack_deadline_seconds=0
        )
    # Google's emulator looks for what is to be dead-lettered when its subscription is pulled.
    desk.subscriber.pull(request={"subscription": subscription, "max_messages": 1, "return_immediately": True})
    box.send(LETTER)
    wait_until(lambda: len(box.browse("payment")) == 2, "both letters", 30)
    letters = {letter.reason: letter for letter in box.browse("payment")}
    assert sorted(letters) == ["broker", "malformed"]
    native = letters["broker"]
    assert (native.body, native.attributes, native.attempts) == (b"crashes", {"kind": "OrderPlaced"}, 5)
    assert native.first_at <= native.last_at
    box.remove(native)
    assert [letter.reason for letter in box.browse("payment")] == ["malformed"]


def test_a_detail_is_cut_to_what_an_attribute_holds(box: DeadLetterBox) -> None:
    box.send(replace(LETTER, detail="ö" * 1000))
    [shown] = box.browse("payment")
    assert shown.detail == "ö" * 512


@pytest.mark.parametrize("body", [b"", b"\x00\xff", "\u2028".encode()])
def test_any_body_survives(box: DeadLetterBox, body: bytes) -> None:
    box.send(replace(LETTER, body=body, attributes={}, event_id="", detail=""))
    [shown] = box.browse("payment")
    assert (shown.body, dict(shown.attributes), shown.event_id, shown.detail) == (body, {}, "", "")


def test_removing_what_is_gone_changes_nothing(box: DeadLetterBox) -> None:
    box.send(LETTER)
    [shown] = box.browse("payment")
    box.remove(shown)
    box.send(replace(LETTER, event_id="e-2"))
    box.remove(shown)
    assert [letter.event_id for letter in box.browse("payment")] == ["e-2"]


def test_a_missing_queue_is_unavailable(box: DeadLetterBox) -> None:
    stranger = replace(LETTER, service="stranger")
    for ask in (lambda: box.send(stranger), lambda: box.resend(stranger), lambda: box.browse("stranger")):
        with pytest.raises(Unavailable):
            ask()
