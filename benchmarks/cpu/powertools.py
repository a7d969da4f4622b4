"""aws-lambda-powertools as its documentation puts it together: BatchProcessor with a parser model, and each record
through Idempotency by its event id, the records kept in a dict
(docs.aws.amazon.com/powertools/python/latest/utilities/batch and .../utilities/idempotency). With ``BENCH_LOG=1``
Logger writes one line a record."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

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
from pydantic import BaseModel, Field, Json

from benchmarks.cpu.measure import Shelf, measure

published: list[bytes] = []
shelf = Shelf()
logger = Logger(service="benchmark")
LOGGING = os.environ.get("BENCH_LOG") == "1"

Text = Annotated[str, Field(min_length=1, max_length=300)]


class Line(BaseModel):
    sku: Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9._-]{0,63}$")]
    quantity: Annotated[int, Field(ge=1, le=1_000_000)]
    unit_price: Annotated[int, Field(ge=0)]


class OrderPlaced(BaseModel):
    order_id: Text
    customer_id: Text
    lines: Annotated[list[Line], Field(min_length=1)]
    total: Annotated[int, Field(ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    payment_token: Text
    tier: Literal["standard", "elevated", "high"]
    placed_at: Text


class CloudEvent(BaseModel):
    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Text
    subject: Text
    time: datetime
    correlationid: Text
    kind: Text
    category: Text
    data: Any


class OrderPlacedEvent(CloudEvent):
    data: OrderPlaced


class Reserved(BaseModel):
    order_id: str
    customer_id: str
    lines: list[Line]


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
    data = event.data
    reserved = shelf.take([(line.sku, line.quantity) for line in data.lines])
    kind = "InventoryReserved" if reserved else "OutOfStock"
    said = CloudEvent(
        specversion="1.0",
        id=str(uuid4()),
        source="/benchmark",
        type=f"com.example.orderflow.{kind}.v1",
        subject=event.subject,
        time=datetime.now(UTC),
        correlationid=event.correlationid,
        kind=kind,
        category="answer",
        data=Reserved(order_id=data.order_id, customer_id=data.customer_id, lines=data.lines),
    )
    published.append(said.model_dump_json().encode())
    if LOGGING:
        logger.info(
            "handled",
            extra={
                "kind": event.kind,
                "event_id": event.id,
                "subject": event.subject,
                "correlation_id": event.correlationid,
            },
        )


def record_handler(record: OrderRecord) -> None:
    """One record of the batch."""
    process(event=record.body)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """A batch."""
    config.register_lambda_context(context)
    return dict(process_partial_response(event, record_handler, processor, context))


if __name__ == "__main__":
    measure(handler, published)
