"""A bare function app with pydantic; what is no event of ours is told of and let go."""

from __future__ import annotations

import logging
from typing import List  # noqa: UP035

import azure.functions as func
from pydantic import ValidationError

from benchmarks.cpu.bare import published, reserve
from benchmarks.cpu.measure import measure
from benchmarks.cpu.messages import handler, messages

app = func.FunctionApp()


@app.function_name("reserve")
@app.service_bus_queue_trigger(
    "batch", connection="ORDERFLOW_SERVICEBUS", queue_name="reserve", cardinality=func.Cardinality.MANY
)
def reserve_all(batch: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - the worker refuses list[...]
    """A batch."""
    for message in batch:
        try:
            reserve(message.get_body())
        except ValidationError as error:
            logging.warning("no event: %s", error.error_count())


if __name__ == "__main__":
    measure(handler(app), published, messages)
