"""What each cloud can do by itself, what orderflow does where it cannot, and what is not to be had: the one table
that the suite, its report and the documentation read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["native", "emulated", "unsupported"]
CLOUDS = ("aws", "azure", "gcp")


@dataclass(frozen=True, slots=True)
class Cell:
    """How a cloud has a capability, and by what: the cloud's own feature, ours, or why there is none."""

    how: How
    by: str


def native(by: str) -> Cell:
    """The cloud's own feature."""
    return Cell("native", by)


def emulated(by: str) -> Cell:
    """The cloud has no such thing: orderflow does it."""
    return Cell("emulated", by)


def unsupported(why: str) -> Cell:
    """Not to be had, and why."""
    return Cell("unsupported", why)


CAPABILITIES: dict[str, dict[str, Cell]] = {
    "topic": {
        "aws": native("SNS topic, raw delivery to SQS"),
        "azure": native("Event Grid custom topic, CloudEvents schema, to Service Bus"),
        "gcp": native("Pub/Sub topic"),
    },
    "filters": {
        "aws": native("SNS filter policy"),
        "azure": native("Event Grid advanced filters"),
        "gcp": native("Pub/Sub subscription filter"),
    },
    "claim check": {
        "aws": emulated("the data in S3, a reference in the event"),
        "azure": emulated("the data in Blob Storage, a reference in the event"),
        "gcp": emulated("the data in Cloud Storage, a reference in the event"),
    },
    "redelivery": {
        "aws": native("SQS visibility timeout"),
        "azure": native("Service Bus peek-lock"),
        "gcp": native("Pub/Sub acknowledgement deadline"),
    },
    "probe": {
        "aws": native("an SQS queue made for the test"),
        "azure": native("a Service Bus queue made for the test"),
        "gcp": native("a Pub/Sub subscription made for the test"),
    },
    "backoff": {
        "aws": native("ChangeMessageVisibility to the delay that the shell draws"),
        "azure": emulated("scheduled re-enqueue after the delay that the shell draws"),
        "gcp": native("the subscription's retry policy: the cloud chooses the delay, not the shell"),
    },
    "partial batch failure": {
        "aws": native("ReportBatchItemFailures"),
        "azure": emulated("re-enqueue what failed, complete the batch"),
        "gcp": native("push hands over one message a request"),
    },
    "attempt count": dict.fromkeys(CLOUDS, emulated("an attempt document, written on failure only")),
    "dead letter with a reason": {
        "aws": emulated("an SQS queue of our own beside the redrive policy"),
        "azure": emulated("a Service Bus queue of our own beside the native dead-letter queue"),
        "gcp": emulated("a topic of our own beside the dead-letter policy"),
    },
    "deadline guard": {
        "aws": emulated("the shell stops before Lambda's remaining time ends"),
        "azure": emulated("the shell stops before the function's timeout"),
        "gcp": emulated("the shell stops before the function's timeout"),
    },
    "archive": {
        "aws": native("SNS to Firehose to S3"),
        "azure": emulated("a timer function drains a Service Bus queue into blobs"),
        "gcp": native("Cloud Storage subscription"),
    },
    "compare-and-set": {
        "aws": native("DynamoDB condition expressions"),
        "azure": native("Tables ETags"),
        "gcp": native("Firestore update-time preconditions"),
    },
    "index": {
        "aws": native("global secondary index"),
        "azure": emulated("index entities of our own, written before the document"),
        "gcp": native("Firestore query"),
    },
    "idempotent publish": dict.fromkeys(CLOUDS, emulated("event ids derive from their cause; consumers know them")),
    "saga": dict.fromkeys(CLOUDS, emulated("services and shell of functions/shared")),
    "circuit breaker": dict.fromkeys(CLOUDS, emulated("breaker documents in the store")),
    "token check": {
        "aws": native("JWT authorizer in front; the function checks again"),
        "azure": emulated("the function checks the token"),
        "gcp": emulated("the function checks the token"),
    },
    "closed consumer door": {
        "aws": unsupported("there is no door to knock at: consumers are fed from queues and have no address"),
        "azure": unsupported("there is no door to knock at: consumers are fed from queues and have no address"),
        "gcp": native("private ingress, and the push token is checked in the function"),
    },
    "ordering": {
        "aws": native("a FIFO topic and queue for services that are declared as ordered"),
        "azure": unsupported("Event Grid delivers in any order: a service that is declared as ordered is refused"),
        "gcp": native("ordering keys for services that are declared as ordered"),
    },
    "time to live": {
        "aws": native("DynamoDB TTL"),
        "azure": unsupported("Tables has none: expires_at is kept for a job of the operator's"),
        "gcp": native("Firestore TTL policy"),
    },
}
"""By capability and cloud."""

DEPLOYED: dict[str, dict[str, Cell]] = {
    "probe": {
        "azure": unsupported(
            "event subscriptions are made through Azure Resource Manager, not through a data-plane SDK"
        )
    },
}
"""Where a deployed cloud differs from `CAPABILITIES`."""

MACHINE = unsupported("a deployed cloud's hosts cannot be killed, nor its connections cut or its logs read, from here")
"""For what needs `world.Machine`."""


def cell(capability: str, cloud: str, target: str) -> Cell:
    """How a cloud of a target (``local`` or ``deployed``) has a capability. Raises `KeyError` for an unknown one."""
    if capability == "machine":
        return native("processes of this machine") if target == "local" else MACHINE
    differs = DEPLOYED.get(capability, {}) if target == "deployed" else {}
    return differs.get(cloud) or CAPABILITIES[capability][cloud]
