"""A stand-in of ours for a Cloud Storage subscription, which neither Google's emulator of Pub/Sub nor our stand-in has.

It pulls an ordinary subscription and writes to the stand-in for Cloud Storage. Kept of what ``terraform/gcp``
configures: the bodies as text, one a line; an object after ``max_duration``; its name, made of the prefix, the UTC time
in ``filename_datetime_format``, a unique part and the suffix
(cloud.google.com/pubsub/docs/create-cloudstorage-subscription). Not kept: that ``max_duration`` is a minute at least,
``max_bytes``, Avro."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import uuid4

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import AcknowledgeRequest, PullRequest

from orderflow.archive import object_name
from orderflow_local.sink import Received, Sink

_MOST_BYTES = 64 * 1024 * 1024
_AT_ONCE = 1_000


def deliver(broker: str, subscription: str, *, storage_url: str, bucket: str, every_s: float) -> Sink:
    """A subscription at work, from a broker (``host:port``) into a bucket. The caller stops it."""
    client = storage.Client(
        project="local",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": storage_url},
    )

    def write(begun: float, data: bytes) -> None:
        blob = client.bucket(bucket).blob(object_name(begun, str(uuid4())))
        blob.upload_from_string(data, content_type="text/plain")

    return Sink(_Subscription(broker, subscription), write, every_s=every_s, most_bytes=_MOST_BYTES)


class _Subscription:
    def __init__(self, broker: str, name: str) -> None:
        self._transport = SubscriberGrpcTransport(channel=grpc.insecure_channel(broker))
        self._name = name

    def receive(self, wait_s: float) -> list[Received]:
        # A pull that waits and is given up may have leased messages that nobody gets to see.
        request = PullRequest(subscription=self._name, max_messages=_AT_ONCE, return_immediately=True)
        answer = self._transport.pull(request)
        if not answer.received_messages:
            time.sleep(wait_s)
        return [Received(one.message.data, one.ack_id) for one in answer.received_messages]

    def settle(self, handles: Sequence[str]) -> None:
        request = AcknowledgeRequest(subscription=self._name, ack_ids=list(handles))
        self._transport.acknowledge(request)
