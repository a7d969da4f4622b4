"""The function app: one function for each service of the topology, handed on to `orderflow_azure.entrypoints`.

``ORDERFLOW_PREFIX`` and ``ORDERFLOW_DROP_CONTAINER`` are read when the functions are indexed.
"""

from __future__ import annotations

import os
from typing import List  # noqa: UP035

import azure.functions as func

from orderflow.services import SERVICES
from orderflow.topology import SWEEP_EVERY_SECONDS
from orderflow_azure import entrypoints

PREFIX = os.environ.get("ORDERFLOW_PREFIX", "orderflow")

app = func.FunctionApp()


@app.function_name("api")
@app.route("{*path}", trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
def api(request: func.HttpRequest) -> func.HttpResponse:
    return entrypoints.api(request)


@app.function_name("sweeper")
@app.timer_trigger("timer", schedule=f"0 */{SWEEP_EVERY_SECONDS // 60} * * * *")
def sweeper(timer: func.TimerRequest) -> None:
    entrypoints.sweep(timer)


@app.function_name("files")
@app.blob_trigger(
    "blob",
    path=f"{os.environ['ORDERFLOW_DROP_CONTAINER']}/{{name}}",
    connection="ORDERFLOW_STORAGE",
    source=func.BlobSource.EVENT_GRID,
)
def files(blob: func.InputStream) -> None:
    entrypoints.load_file(blob)


def _consumer(service: str) -> None:
    queue = f"{PREFIX}-{service}"

    # As bytes, so that a body arrives as it was sent: a text that is JSON would be parsed and written again.
    @app.function_name(service)
    @app.service_bus_queue_trigger(
        "messages",
        connection="ORDERFLOW_SERVICEBUS",
        queue_name=queue,
        data_type=func.DataType.BINARY,
        cardinality=func.Cardinality.MANY,
    )
    def consume(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - the worker refuses list[...]
        entrypoints.consume(service, queue, messages)


for _service in SERVICES:
    _consumer(_service)
