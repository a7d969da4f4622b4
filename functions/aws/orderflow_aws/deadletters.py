"""The dead-letter queues on SQS: ``<prefix>-<service>-dlq``, where the broker's native dead letters arrive as well.

Delivery semantics
    A letter's body is the original body; why it was given up, and the original attributes as one JSON object, are
    message attributes. A message without them was put there by SQS itself (maxReceiveCount).
Ordering
    None, in the queues of an ordered service neither: each letter there, and each that is sent again, is a group of its
    own. What is sent again comes late in any case.
Limits
    A message has 10 attributes at most and 1 MiB with them
    (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html). SQS carries only text
    that XML 1.0 allows, and no empty body: any other body travels in base64, marked by one more attribute, which
    `body_of` undoes for whoever receives it.
    SQS cannot be read without receiving: `browse` hides letters for seconds and then shows them again. Its count of
    waiting messages lags by up to a minute, so a new letter may be seen that much later. A handle from `browse` is good
    until the letter is browsed again.
Errors
    `Unavailable`.
"""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from orderflow.envelope import rfc3339
from orderflow.ports import DeadLetter
from orderflow_aws.queues import Queues, is_fifo
from orderflow_aws.sdk import Clients, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef as Attribute
    from mypy_boto3_sqs.type_defs import MessageTypeDef as Message

ENCODING = "orderflow-encoding"
"""The attribute of a body that is no text: ``base64``."""

_HIDDEN_S = 30
"""How long `browse` hides what it has read, at most: a tool that dies leaves its letters hidden no longer."""

_NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Fifo(TypedDict, total=False):
    MessageGroupId: str
    MessageDeduplicationId: str


class SqsDeadLetters:
    """`orderflow.ports.DeadLetterBox` over the services' queues."""

    def __init__(self, clients: Clients, queues: Queues) -> None:
        self._clients = clients
        self._queues = queues

    def send(self, letter: DeadLetter) -> None:
        why = {
            "reason": letter.reason,
            "detail": _NOT_XML.sub("\ufffd", letter.detail),
            "attempts": str(letter.attempts),
            "first_at": letter.first_at,
            "last_at": letter.last_at,
            "event_id": letter.event_id,
            "attributes": json.dumps(dict(letter.attributes)),
        }
        self._send(self._queues.dead_letters_of(letter.service), letter.body, why)

    def browse(self, service: str, limit: int = 100) -> list[DeadLetter]:
        url = self._queues.dead_letters_of(service)
        seen: dict[str, Message] = {}
        try:
            while len(seen) < limit and (messages := self._receive(url, len(seen), limit)):
                seen |= {message["MessageId"]: message for message in messages}
        finally:
            self._show(url, list(seen.values()))
        return [_letter(service, message) for message in seen.values()]

    def remove(self, letter: DeadLetter) -> None:
        with unavailable("SQS DeleteMessage"):
            url = self._queues.dead_letters_of(letter.service)
            self._clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=letter.letter_id)

    def resend(self, letter: DeadLetter) -> None:
        self._send(self._queues.of(letter.service), letter.body, letter.attributes)

    def _send(self, url: str, body: bytes, attributes: Mapping[str, str]) -> None:
        text, encoding = _text(body)
        # Never an event's own id: what is sent again within five minutes would be taken for a duplicate.
        once = str(uuid.uuid4())
        fifo: _Fifo = {"MessageGroupId": once, "MessageDeduplicationId": once} if is_fifo(url) else {}
        with unavailable("SQS SendMessage"):
            self._clients.sqs.send_message(
                QueueUrl=url,
                MessageBody=text,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in {**attributes, **encoding}.items()
                    if value  # SQS takes no empty attribute
                },
                **fifo,
            )

    def _receive(self, url: str, seen: int, limit: int) -> list[Message]:
        """Some letters not shown yet. Waits a second where SQS says that there are more: an answer without waiting
        covers only some of its servers."""
        with unavailable("SQS ReceiveMessage"):
            counted = self._clients.sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            answer = self._clients.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(10, limit - seen),
                VisibilityTimeout=_HIDDEN_S,
                WaitTimeSeconds=1 if int(counted["Attributes"]["ApproximateNumberOfMessages"]) else 0,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return answer.get("Messages", [])

    def _show(self, url: str, messages: list[Message]) -> None:
        """Make received letters visible again."""
        for first in range(0, len(messages), 10):
            with unavailable("SQS ChangeMessageVisibilityBatch"):
                self._clients.sqs.change_message_visibility_batch(
                    QueueUrl=url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                        for number, message in enumerate(messages[first : first + 10])
                    ],
                )


def body_of(text: str, attributes: Mapping[str, str]) -> bytes:
    """The body as it was given to SQS."""
    return b64decode(text) if attributes.get(ENCODING) == "base64" else text.encode()


def _text(body: bytes) -> tuple[str, dict[str, str]]:
    """A body as text that SQS takes, and the attribute that says how to read it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if text and not _NOT_XML.search(text):
        return text, {}
    # A space stands for an empty body, which SQS refuses; base64 ignores it.
    return b64encode(body).decode() or " ", {ENCODING: "base64"}


def _letter(service: str, message: Message) -> DeadLetter:
    attributes = _strings(message.get("MessageAttributes", {}))
    body = body_of(message["Body"], attributes)
    common: dict[str, Any] = {"service": service, "body": body, "letter_id": message["ReceiptHandle"]}
    if "reason" not in attributes:
        sent_at = rfc3339(int(message["Attributes"]["SentTimestamp"]) / 1000)
        return DeadLetter(
            **common,
            attributes={name: value for name, value in attributes.items() if name != ENCODING},
            reason="broker",
            detail="SQS gave it up after maxReceiveCount deliveries",
            attempts=0,
            first_at=sent_at,
            last_at=sent_at,
        )
    return DeadLetter(
        **common,
        attributes=json.loads(attributes["attributes"]),
        reason=attributes["reason"],
        detail=attributes.get("detail", ""),
        attempts=int(attributes["attempts"]),
        first_at=attributes["first_at"],
        last_at=attributes["last_at"],
        event_id=attributes.get("event_id", ""),
    )


def _strings(attributes: Mapping[str, Attribute]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value}
