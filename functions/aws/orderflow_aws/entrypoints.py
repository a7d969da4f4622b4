"""The Lambda handlers: events of AWS in, the application's words inside, answers of AWS out. No rule of ours is here.

Delivery semantics
    SQS event source mappings with ReportBatchItemFailures: what is not reported is deleted. A message that is given
    back is hidden for the delay that the shell chose; where that cannot be set, the queue's own visibility time-out
    is the delay (docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
Ordering
    None (standard queues), but for a service that is ordered: its queue is a FIFO queue, whose message group is the
    delivery's, and after the first message of a group that is given back all later ones of the batch are reported as
    failed too, as Lambda asks. They get its delay: while one of a group is hidden, SQS hands over no other.
Limits
    A delay is 0 to 43,200 whole seconds
    (docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html).
"""

from __future__ import annotations

import json
import math
import os
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_plus

from orderflow import log
from orderflow.http import Request
from orderflow.ports import Delivery, Unavailable
from orderflow.processing import Done, Outcome, Retry
from orderflow_aws import wiring
from orderflow_aws.deadletters import ENCODING, body_of
from orderflow_aws.queues import Queues
from orderflow_aws.sdk import unavailable

MARGIN_S = 2.0
"""Kept of the function's time for what follows the application: setting delays, and the answer."""

MAX_DELAY_S = 43_200

UNREADABLE_DELAY_S = 60

Event = Mapping[str, Any]


class Context(Protocol):
    """What the handlers use of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int: ...


def api(event: Event, context: Context) -> dict[str, Any]:
    """HTTP API, payload format 2.0
    (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html)."""
    body = event.get("body") or ""
    response = wiring.app().respond(
        Request(
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            query=dict(parse_qsl(event.get("rawQueryString", ""), keep_blank_values=True)),
            headers={name.lower(): value for name, value in event["headers"].items()},
            body=b64decode(body) if event.get("isBase64Encoded") else body.encode(),
        )
    )
    answer = {"statusCode": response.status, "headers": dict(response.headers)}
    try:
        return answer | {"body": response.body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return answer | {"body": b64encode(response.body).decode(), "isBase64Encoded": True}


def consume(event: Event, context: Context) -> dict[str, Any]:
    """A batch of SQS messages for the service that ``ORDERFLOW_SERVICE`` names."""
    records = event["Records"]
    service = os.environ["ORDERFLOW_SERVICE"]
    outcomes = wiring.app().consume(service, [delivery(record) for record in records], deadline=_deadline(context))
    return _answer(service, dict(zip((record["messageId"] for record in records), outcomes, strict=True)), records)


def load_files(event: Event, context: Context) -> dict[str, Any]:
    """A batch of SQS messages in which S3 tells of objects that arrived in the drop bucket."""
    deadline = _deadline(context)
    outcomes = {record["messageId"]: _load(record, deadline) for record in event["Records"]}
    return _answer("files", outcomes, event["Records"])


def sweep(event: Event, context: Context) -> dict[str, Any]:
    """EventBridge Scheduler's call; what it says is not looked at."""
    swept = wiring.app().sweep(deadline=_deadline(context))
    return asdict(swept) if swept else {}


def delivery(record: Event) -> Delivery:
    """One record of an SQS event."""
    attributes = {
        name: value["stringValue"] for name, value in record["messageAttributes"].items() if "stringValue" in value
    }
    return Delivery(
        body=body_of(record["body"], attributes),
        attributes={name: value for name, value in attributes.items() if name != ENCODING},
        transport_id=record["messageId"],
        receives=int(record["attributes"]["ApproximateReceiveCount"]),
        group=record["attributes"].get("MessageGroupId", ""),
    )


def _load(record: Event, deadline: float) -> Outcome:
    """Load the files that one notification names; `Retry` if one of them must come again, or it is no notification:
    then the queue gives it up in the end.

    S3 also sends a test message without records when the notification is set up
    (docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html)."""
    try:
        names = [unquote_plus(told["s3"]["object"]["key"]) for told in json.loads(record["body"]).get("Records", [])]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        log.write("ERROR", "no S3 notification", service="files", reason=f"{type(error).__name__}: {error}")
        return Retry(UNREADABLE_DELAY_S, "no S3 notification")
    receives = int(record["attributes"]["ApproximateReceiveCount"])
    outcomes = [wiring.app().load_file(name, receives=receives, deadline=deadline) for name in names]
    return next((outcome for outcome in outcomes if isinstance(outcome, Retry)), Done())


def _answer(service: str, outcomes: Mapping[str, Outcome], records: list[dict[str, Any]]) -> dict[str, Any]:
    """Set the delay of what is given back, and say which that is."""
    retries = {message_id: outcome for message_id, outcome in outcomes.items() if isinstance(outcome, Retry)}
    delays = {
        record["receiptHandle"]: min(math.ceil(retries[record["messageId"]].after), MAX_DELAY_S)
        for record in records
        if record["messageId"] in retries
    }
    _delay(service, delays)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in retries]}


def _delay(service: str, delays: Mapping[str, int]) -> None:
    """Hide messages (by receipt handle) for seconds. Best effort: the queue's own visibility time-out is behind it."""
    handles = list(delays.items())
    try:
        for first in range(0, len(handles), 10):
            with unavailable("SQS ChangeMessageVisibilityBatch"):
                wiring.clients().sqs.change_message_visibility_batch(
                    QueueUrl=Queues.from_environment(os.environ).of(service),
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                        for number, (handle, seconds) in enumerate(handles[first : first + 10])
                    ],
                )
    except Unavailable as error:
        log.write("WARNING", "delay not set", service=service, reason=str(error))


def _deadline(context: Context) -> float:
    return time.time() + context.get_remaining_time_in_millis() / 1000 - MARGIN_S


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # Lambda runs us (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
    wiring.prepare()
