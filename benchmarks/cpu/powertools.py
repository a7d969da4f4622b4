"""aws-lambda-powertools as its documentation puts it together: BatchProcessor with a parser model, and each record
through Idempotency by its event id, the records kept in a dict
(docs.aws.amazon.com/powertools/python/latest/utilities/batch and .../utilities/idempotency). With ``BENCH_LOG=1``
Logger writes one line a record."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.base import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.parser.models import SqsRecordModel
from pydantic import Json

from benchmarks.cpu.measure import Shelf, measure
from benchmarks.cpu.models import OrderPlacedEvent, decide

published: list[bytes] = []
shelf = Shelf()
logger = Logger(service="benchmark")
LOGGING = os.environ.get("BENCH_LOG") == "1"


class OrderRecord(SqsRecordModel):
    body: Json[OrderPlacedEvent]


class DictPersistence(BasePersistenceLayer):
    """Idempotency records in this process."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, DataRecord] = {}

    def _get_record(self, idempotency_key: str) -> DataRecord:
        try:
            return self.records[idempotency_key]
        except KeyError:
            raise IdempotencyItemNotFoundError from None

    def _put_record(self, data_record: DataRecord) -> None:
        if data_record.idempotency_key in self.records:
            raise IdempotencyItemAlreadyExistsError
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        self.records.pop(data_record.idempotency_key, None)


processor = BatchProcessor(event_type=EventType.SQS, model=OrderRecord, raise_on_entire_batch_failure=False)
config = IdempotencyConfig(event_key_jmespath="id")


@idempotent_function(data_keyword_argument="event", config=config, persistence_store=DictPersistence())
def process(event: OrderPlacedEvent) -> None:
    """Reserve, and say so."""
    published.append(decide(event, shelf))


def record_handler(record: OrderRecord) -> None:
    """One record of the batch; its line has the fields that orderflow's has."""
    event = record.body
    process(event=event)
    if LOGGING:
        logger.info(
            "handled",
            extra={
                "kind": event.kind,
                "event_id": event.id,
                "order_id": event.data.order_id,
                "subject": event.subject,
                "correlation_id": event.correlationid,
                "traceparent": event.traceparent,
                "transport_id": record.messageId,
                "receives": record.attributes.ApproximateReceiveCount,
            },
        )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch."""
    config.register_lambda_context(context)
    return dict(process_partial_response(event, record_handler, processor, context))


if __name__ == "__main__":
    measure(handler, published)
