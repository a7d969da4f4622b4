"""`orderflow.ports.Publisher` on a Pub/Sub topic, ``{prefix}-events``.

Delivery semantics
    One Publish call takes the whole batch, or refuses it whole. The generated client is used and not the batching one
    of `google.cloud.pubsub_v1`: that one holds every message back for 10 ms to see whether more come, and answers
    through futures; the batch is at hand here. A call that got no answer is repeated by the SDK within
    `_RETRY_SECONDS`; publishing an event twice is harmless.

Ordering
    None: no ordering keys, every service tolerates any order.

Limits
    1,000 messages or 10 MB a call (cloud.google.com/pubsub/quotas); longer batches are divided.

Errors
    `Unavailable`, for each message of a call that failed. A call that is refused as invalid does not say for which
    message, so each of them is then published by itself.
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
    """Publishes to the topic that every event goes to. The client is made on first use, after the server has forked."""

    def __init__(self, project: str, prefix: str) -> None:
        self._topic = f"projects/{project}/topics/{prefix}-events"

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        answers: list[Exception | None] = []
        for messages in _batches(envelopes):
            answers += self._publish(messages)
        return answers

    @cached_property
    def _client(self) -> PublisherClient:
        from google.pubsub_v1 import PublisherClient

        return PublisherClient()

    def _publish(self, messages: list[Message]) -> list[Exception | None]:
        from google.api_core.exceptions import InvalidArgument

        try:
            publish(self._client, self._topic, messages)
        except Unavailable as error:
            if isinstance(error.__cause__, InvalidArgument) and len(messages) > 1:
                return [answer for message in messages for answer in self._publish([message])]
            return [error] * len(messages)
        return [None] * len(messages)


def publish(client: PublisherClient, topic: str, messages: Sequence[Message]) -> None:
    """Publish in one call. Raises `Unavailable`."""
    from google.api_core.retry import Retry, if_transient_error

    retry = Retry(predicate=if_transient_error, initial=0.1, maximum=1.0, timeout=_RETRY_SECONDS)
    with unavailable("pubsub publish"):
        client.publish(request={"topic": topic, "messages": messages}, retry=retry, timeout=_TIMEOUT_SECONDS)


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
