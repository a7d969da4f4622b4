"""The topic on SNS.

Delivery semantics
    At least once to every subscription. Raw delivery: an SQS message's body is the CloudEvent, its message attributes
    are `Envelope.attributes`, on which the subscriptions filter.
Ordering
    None (standard topic).
Limits
    10 messages and 256 KB a call, attributes included (docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html).
    Characters that XML 1.0 does not have are written as JSON escapes: the same event, in text that SQS takes.
Errors
    Each message of a call succeeds or fails by itself. A failure is `Unavailable` with SNS's own code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orderflow.envelope import Envelope
from orderflow.ports import Unavailable
from orderflow_aws.sdk import Clients, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

MAX_ENTRIES = 10
MAX_BYTES = 262_144

_NOT_XML = re.compile("[\ufffe\uffff]")


class SnsPublisher:
    """`orderflow.ports.Publisher` to one topic."""

    def __init__(self, clients: Clients, topic_arn: str) -> None:
        self._clients = clients
        self._topic_arn = topic_arn

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        outcomes: list[Exception | None] = [None] * len(envelopes)
        for batch in _batches([_entry(number, envelope) for number, envelope in enumerate(envelopes)]):
            for number, error in self._publish(batch).items():
                outcomes[number] = error
        return outcomes

    def _publish(self, batch: list[Entry]) -> dict[int, Exception]:
        """Publish one call's entries; answer the failures by number."""
        try:
            with unavailable("SNS PublishBatch"):
                answer = self._clients.sns.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=batch)
        except Unavailable as error:
            return {int(entry["Id"]): error for entry in batch}
        return {int(failed["Id"]): Unavailable(f"SNS: {failed['Code']}") for failed in answer.get("Failed", [])}


def _entry(number: int, envelope: Envelope) -> Entry:
    return {
        "Id": str(number),
        "Message": _NOT_XML.sub(lambda found: f"\\u{ord(found.group()):04x}", envelope.to_bytes().decode()),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in envelope.attributes().items()
        },
    }


def _batches(entries: list[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        bytes_of_entry = _size(entry)
        if batch and (len(batch) == MAX_ENTRIES or size + bytes_of_entry > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += bytes_of_entry
    if batch:
        yield batch


def _size(entry: Entry) -> int:
    """What SNS counts: the body, and name, type and value of every attribute."""
    attributes = entry.get("MessageAttributes", {}).items()
    return len(entry["Message"].encode()) + sum(
        len(name) + len(value["DataType"]) + len(value.get("StringValue", "").encode()) for name, value in attributes
    )
