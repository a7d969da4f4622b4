"""aws-lambda-powertools as its documentation puts it together: BatchProcessor with a parser model, Idempotency with its
own DynamoDB layer, Logger; and boto3 to publish."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import Json

from benchmarks.cold.done import done
from benchmarks.cold.models import OrderPlacedEvent, screened


class OrderRecord(SqsRecordModel):
    body: Json[OrderPlacedEvent]


logger = Logger(service="benchmark")
topic = boto3.client("sns")
processor = BatchProcessor(event_type=EventType.SQS, model=OrderRecord)
config = IdempotencyConfig(event_key_jmespath="id")


@idempotent_function(
    data_keyword_argument="event",
    config=config,
    persistence_store=DynamoDBPersistenceLayer(table_name="screenings"),
)
def process(event: OrderPlacedEvent) -> None:
    """Screen, and say so."""
    said = screened(event).decode()
    topic.publish_batch(
        TopicArn=os.environ["ORDERFLOW_TOPIC_ARN"], PublishBatchRequestEntries=[{"Id": "0", "Message": said}]
    )
    logger.info("handled", extra={"event_id": event.id, "correlation_id": event.correlationid})


def record_handler(record: OrderRecord) -> None:
    """One record of the batch."""
    process(event=record.body)


class Context:
    """As much of Lambda's context object as is looked at."""

    function_name = "benchmark"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:benchmark"
    aws_request_id = "request"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch."""
    config.register_lambda_context(context)
    return dict(process_partial_response(event, record_handler, processor, context))


answer = handler(json.loads(os.environ["BENCH_EVENT"]), Context())
assert answer == {"batchItemFailures": []}, answer
done()
