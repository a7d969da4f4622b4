"""The topic on SNS.

Delivery semantics
    At least once to every subscription. Raw delivery: an SQS message's body is the CloudEvent, its message attributes
    are `Envelope.attributes`, on which the subscriptions filter.
Ordering
    None (standard topic). Where a service is ordered there is a FIFO topic beside it, for the ordered services alone:
    Firehose, which archives, cannot subscribe to one (docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html).
    Each event goes there first, its partition key as the message group. A call has one event of a group at most, and
    what follows one that was not taken is not published: a batch's entries fail by themselves.
    SNS drops what it took within five minutes (docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html), here the
    same event with the same content. What it took it delivers, so publishing again heals a loss no less for it.
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

from orderflow.envelope import Envelope, derived_id
from orderflow.ports import Unavailable
from orderflow.turns import turns
from orderflow_aws.sdk import Clients, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef as Entry

MAX_ENTRIES = 10
MAX_BYTES = 262_144

_NOT_XML = re.compile("[\ufffe\uffff]")


class SnsPublisher:
    """`orderflow.ports.Publisher` to the topic, and to the FIFO topic where there is one."""

    def __init__(self, clients: Clients, topic_arn: str, ordered_topic_arn: str | None = None) -> None:
        self._clients = clients
        self._topic_arn = topic_arn
        self._ordered_topic_arn = ordered_topic_arn

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        failed = self._publish_in_order(self._ordered_topic_arn, envelopes) if self._ordered_topic_arn else {}
        entries = [_entry(number, envelope) for number, envelope in enumerate(envelopes) if number not in failed]
        failed |= self._publish_all(self._topic_arn, entries)
        return [failed.get(number) for number in range(len(envelopes))]

    def _publish_in_order(self, topic_arn: str, envelopes: Sequence[Envelope]) -> dict[int, Exception]:
        """Publish to a FIFO topic; answer the failures by number."""
        failed: dict[int, Exception] = {}
        held: set[str] = set()
        entries = [_ordered_entry(number, envelope) for number, envelope in enumerate(envelopes)]
        for places in turns([entry["MessageGroupId"] for entry in entries]):
            turn = [entries[place] for place in places]
            kept = {int(entry["Id"]): entry["MessageGroupId"] for entry in turn if entry["MessageGroupId"] in held}
            failed |= {number: Unavailable("an earlier event of the same order was not published") for number in kept}
            going = [entry for entry in turn if int(entry["Id"]) not in kept]
            refused = self._publish_all(topic_arn, going)
            held |= {entry["MessageGroupId"] for entry in going if int(entry["Id"]) in refused}
            failed |= refused
        return failed

    def _publish_all(self, topic_arn: str, entries: list[Entry]) -> dict[int, Exception]:
        """Publish in as few calls as can be; answer the failures by number."""
        failed: dict[int, Exception] = {}
        for batch in _batches(entries):
            failed |= self._publish(topic_arn, batch)
        return failed

    def _publish(self, topic_arn: str, batch: list[Entry]) -> dict[int, Exception]:
        """Publish one call's entries; answer the failures by number."""
        try:
            with unavailable("SNS PublishBatch"):
                answer = self._clients.sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=batch)
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


def _ordered_entry(number: int, envelope: Envelope) -> Entry:
    """An entry for a FIFO topic. Group and deduplication id are made: not every text may be one."""
    group = derived_id("group", envelope.partitionkey or envelope.id)
    once = derived_id("event", envelope.id, envelope.digest())
    return {**_entry(number, envelope), "MessageGroupId": group, "MessageDeduplicationId": once}


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
