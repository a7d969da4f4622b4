"""A stand-in of ours for SNS to Firehose to S3: ministack's Firehose writes an object for each record, and its SNS
knows no Firehose.

It takes the messages of an SQS queue that is subscribed to the topic without a filter, with raw delivery, as the
delivery stream's subscription is. Kept of what ``terraform/aws`` configures: an object after every interval or 5 MiB,
whichever comes first; its name (docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html); a line feed behind each
record (AppendDelimiterToRecord). Not kept: compression, errors' own prefix, delivery twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from orderflow_aws.objects import S3Objects
from orderflow_aws.sdk import Clients
from orderflow_local.sink import Received, Sink

_MOST_BYTES = 5 * 1024 * 1024
_AT_ONCE = 10
"""Messages a call of SQS."""


def deliver(clients: Clients, queue_url: str, *, stream: str, bucket: str, prefix: str, every_s: float) -> Sink:
    """A delivery stream at work, from a queue into a bucket. The caller stops it."""
    objects = S3Objects(clients, bucket)
    return Sink(
        _Queue(clients, queue_url),
        lambda begun, data: objects.put(object_name(stream, prefix, begun), data),
        every_s=every_s,
        most_bytes=_MOST_BYTES,
    )


def object_name(stream: str, prefix: str, begun: float) -> str:
    """The name of an object whose oldest record came at a time, in seconds since the epoch."""
    moment = datetime.fromtimestamp(begun, UTC)
    return f"{prefix}{moment:%Y/%m/%d}/{stream}-1-{moment:%Y-%m-%d-%H-%M-%S}-{uuid4()}.jsonl"


class _Queue:
    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def receive(self, wait_s: float) -> list[Received]:
        answer = self._clients.sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=math.ceil(wait_s)
        )
        return [Received(one["Body"].encode(), one["ReceiptHandle"]) for one in answer.get("Messages", [])]

    def settle(self, handles: Sequence[str]) -> None:
        for first in range(0, len(handles), _AT_ONCE):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle}
                for number, handle in enumerate(handles[first : first + _AT_ONCE])
            ]
            self._clients.sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)  # type: ignore[arg-type]
