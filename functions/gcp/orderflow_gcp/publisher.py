"""`orderflow.ports.Publisher` on a Pub/Sub topic, ``{prefix}-events``.

Delivery semantics
    One Publish call takes the whole batch, or refuses it whole. The generated client is used and not the batching one
    of `google.cloud.pubsub_v1`: that one holds every message back for 10 ms to see whether more come, and answers
    through futures; the batch is at hand here. A call that got no answer is repeated by the SDK within
    `_RETRY_SECONDS`; publishing an event twice is harmless.

Ordering
    None, unless a service asks for it. Then an event's partition key is its ordering key, and as all messages of a call
    must have the same one (cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#pubsubmessage), there is a call
    for each key. What follows an event that was not accepted is not published, and all go to one region's endpoint:
    order is kept within a region (cloud.google.com/pubsub/docs/ordering). What ``resume_publish`` is for is the
    batching client's own, which is not used.

Limits
    1,000 messages or 10 MB a call (cloud.google.com/pubsub/quotas); longer batches are divided.

Errors
    `Unavailable`, for each message of a call that failed. A call that is refused as invalid does not say for which
    message, so each of them is then published by itself, but for those with an ordering key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from orderflow.envelope import Envelope
from orderflow.ports import Unavailable
from orderflow_gcp.errors import unavailable

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

_TIMEOUT_SECONDS = 5.0
_RETRY_SECONDS = 10.0
_MAX_MESSAGES = 1_000
_MAX_BYTES = 9_000_000
"""Below 10 MB, which counts what frames the messages too."""

Message = dict[str, object]


class PubSubPublisher:
    """Publishes to the topic that every event goes to. The client is made on first use, after the server has forked.
    ``ordering_region``, where given, is where events are published with their ordering keys."""

    def __init__(self, project: str, prefix: str, ordering_region: str | None = None) -> None:
        self._topic = f"projects/{project}/topics/{prefix}-events"
        self._ordering_region = ordering_region

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        if self._ordering_region is None:
            return [answer for messages in _batches(envelopes) for answer in self._publish(messages)]
        answers: list[Exception | None] = [None] * len(envelopes)
        for key, places in _by_key(envelopes).items():
            answered = self._publish_in_order(key, [envelopes[place] for place in places])
            for place, answer in zip(places, answered, strict=True):
                answers[place] = answer
        return answers

    @cached_property
    def _client(self) -> PublisherClient:
        from google.pubsub_v1 import PublisherClient

        if self._ordering_region is None:
            return PublisherClient()
        endpoint = f"{self._ordering_region}-pubsub.googleapis.com"
        return PublisherClient(client_options={"api_endpoint": endpoint})

    def _publish_in_order(self, key: str, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        """Publish the events of one key; without one they are in no order."""
        answers: list[Exception | None] = []
        for messages in _batches(envelopes):
            if not key:
                answers += self._publish(messages)
            elif any(answers):
                answers += [Unavailable("an earlier event of the same order was not published")] * len(messages)
            else:
                answers += self._publish([{**message, "ordering_key": key} for message in messages])
        return answers

    def _publish(self, messages: list[Message]) -> list[Exception | None]:
        from google.api_core.exceptions import InvalidArgument

        try:
            publish(self._client, self._topic, messages)
        except Unavailable as error:
            invalid = isinstance(error.__cause__, InvalidArgument)
            if invalid and len(messages) > 1 and "ordering_key" not in messages[0]:
                return [answer for message in messages for answer in self._publish([message])]
            return [error] * len(messages)
        return [None] * len(messages)


def publish(client: PublisherClient, topic: str, messages: Sequence[Message]) -> None:
    """Publish in one call. Raises `Unavailable`."""
    from google.api_core.retry import Retry, if_transient_error

    retry = Retry(predicate=if_transient_error, initial=0.1, maximum=1.0, timeout=_RETRY_SECONDS)
    with unavailable("pubsub publish"):
        client.publish(request={"topic": topic, "messages": messages}, retry=retry, timeout=_TIMEOUT_SECONDS)


def _by_key(envelopes: Sequence[Envelope]) -> dict[str, list[int]]:
    """The places of the envelopes by what must be kept in order, empty where nothing must."""
    keys: dict[str, list[int]] = {}
    for place, envelope in enumerate(envelopes):
        keys.setdefault(envelope.partitionkey or "", []).append(place)
    return keys


def _batches(envelopes: Sequence[Envelope]) -> Iterator[list[Message]]:
    batch: list[Message] = []
    size = 0
    for envelope in envelopes:
        data = envelope.to_bytes()
        if batch and (len(batch) == _MAX_MESSAGES or size + len(data) > _MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append({"data": data, "attributes": envelope.attributes()})
        size += len(data)
    if batch:
        yield batch
