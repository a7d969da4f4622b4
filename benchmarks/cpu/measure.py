"""The events, the shelf, and how a program is timed. Imports nothing but the standard library: it runs in the peers'
environment too."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

BATCH = 10
SKUS = ("CUP-WHITE-350", "PLATE-BLUE-27", "BOWL-GREEN-14")

Handler = Callable[[Any, Any], Mapping[str, Any]]
"""Takes what a platform hands over, and Lambda's context; answers the failures as Lambda wants them."""


class Context:
    """As much of Lambda's context object as any of the programs looks at."""

    function_name = "benchmark"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:benchmark"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


class Shelf:
    """Units by SKU. `take` is the decision that all programs make."""

    def __init__(self) -> None:
        self.units = dict.fromkeys(SKUS, 10**9)

    def take(self, lines: list[tuple[str, int]]) -> bool:
        """Take every line or none."""
        if any(self.units.get(sku, 0) < quantity for sku, quantity in lines):
            return False
        for sku, quantity in lines:
            self.units[sku] -= quantity
        return True


def cloud_event(number: int) -> dict[str, Any]:
    """An OrderPlaced as orderflow publishes it, made up to 1.2 kB by an extension."""
    order_id = f"6f0b5f5e-6c0d-5c8e-9d7e-{number:012d}"
    lines: list[dict[str, Any]] = [
        {"sku": sku, "quantity": 1 + place, "unit_price": 1_250 * (place + 1)} for place, sku in enumerate(SKUS)
    ]
    event = {
        "specversion": "1.0",
        "id": f"0a5c8d9e-7d11-5b2f-8a3b-{number:012d}",
        "source": "/orderflow/order",
        "type": "com.example.orderflow.OrderPlaced.v1",
        "subject": order_id,
        "time": "2027-01-15T08:00:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:orderflow:OrderPlaced:v1",
        "correlationid": order_id,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "partitionkey": order_id,
        "kind": "OrderPlaced",
        "category": "order",
        "tier": "standard",
        "data": {
            "order_id": order_id,
            "customer_id": "customer-00c0ffee-0000-4000-8000-000000000001",
            "lines": lines,
            "total": sum(line["quantity"] * line["unit_price"] for line in lines),
            "currency": "EUR",
            "payment_token": "tok_visa_4242424242424242",
            "tier": "standard",
            "placed_at": "2027-01-15T08:00:00.000Z",
        },
    }
    event["campaign"] = "x" * (1_200 - len(json.dumps(event)) - len(', "campaign": ""'))
    return event


def lambda_event(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """What Lambda hands to a function on an SQS queue."""
    return {
        "Records": [
            {
                "messageId": f"message-{place}-{body['id']}",
                "receiptHandle": f"receipt-{place}-{body['id']}",
                "body": json.dumps(body),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1800000000000",
                    "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                    "ApproximateFirstReceiveTimestamp": "1800000000001",
                },
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:benchmark",
                "awsRegion": "eu-west-1",
            }
            for place, body in enumerate(bodies)
        ]
    }


def measure(handler: Handler, published: list[Any], wrap: Callable[[list[dict[str, Any]]], Any] = lambda_event) -> None:
    """Time a handler as the command line says (events a pass, passes, file for the answer), after a look at whether it
    does the work: microseconds of processor time a record, one figure a pass. ``wrap`` makes of CloudEvents what the
    platform hands over."""
    events, passes, answer = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    context, number, figures = Context(), 0, []
    _check(handler, published, context, wrap)
    for turn in range(passes + 2):
        pool = []
        for _ in range(events):
            pool.append(wrap([cloud_event(number + place) for place in range(BATCH)]))
            number += BATCH
        published.clear()
        gc.collect()
        gc.freeze()
        began = time.process_time()
        for event in pool:
            failures = handler(event, context)["batchItemFailures"]
            if failures:
                raise AssertionError(f"the program gave back {failures}")
        took = time.process_time() - began
        if len(published) != events * BATCH:
            raise AssertionError(f"{len(published)} events were published for {events * BATCH}")
        if turn >= 2:
            figures.append(took / (events * BATCH) * 1e6)
    answer.write_text(json.dumps(figures))


def _check(
    handler: Handler, published: list[Any], context: Context, wrap: Callable[[list[dict[str, Any]]], Any]
) -> None:
    """A duplicate publishes nothing new, and what is broken harms no neighbour."""
    good, bad = cloud_event(10**9), cloud_event(10**9 + 1)
    bad["data"]["lines"] = []
    handler(wrap([good, good]), context)
    ids = {json.loads(each)["id"] for each in published}
    if len(ids) != 1:
        raise AssertionError(f"a duplicate made {len(ids)} events")
    published.clear()
    handler(wrap([bad, cloud_event(10**9 + 2)]), context)
    if len(published) != 1:
        raise AssertionError(f"{len(published)} events were published for one good and one bad record")
