"""The function app: one function for each service of the topology, handed on to `orderflow_azure.entrypoints`.

``ORDERFLOW_PREFIX`` is read when the functions are indexed, and ``ORDERFLOW_SERVICE``: where it is set, the app has the
function of that service only, as it is deployed (one app for each service, with an identity of its own).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import List  # noqa: UP035

import azure.functions as func

from orderflow.services import SERVICES
from orderflow.topology import ARCHIVE_EVERY_SECONDS, SWEEP_EVERY_SECONDS
from orderflow_azure import entrypoints

PREFIX = os.environ.get("ORDERFLOW_PREFIX", "orderflow")

app = func.FunctionApp()


def _api() -> None:
    @app.function_name("api")
    @app.route("{*path}", trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
    def api(request: func.HttpRequest) -> func.HttpResponse:
        return entrypoints.api(request)


def _sweeper() -> None:
    @app.function_name("sweeper")
    @app.timer_trigger("timer", schedule=f"0 */{SWEEP_EVERY_SECONDS // 60} * * * *")
    def sweeper(timer: func.TimerRequest) -> None:
        entrypoints.sweep(timer)


def _archive() -> None:
    queue = f"{PREFIX}-archive"

    @app.function_name("archive")
    @app.timer_trigger("timer", schedule=f"0 */{ARCHIVE_EVERY_SECONDS // 60} * * * *")
    def archive(timer: func.TimerRequest) -> None:
        entrypoints.archive(queue)


def _of_a_queue(service: str, handle: Callable[[str, List[func.ServiceBusMessage]], None]) -> None:  # noqa: UP006
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
        handle(queue, messages)


_FUNCTIONS: dict[str, Callable[[], None]] = {
    "api": _api,
    "sweeper": _sweeper,
    "files": partial(_of_a_queue, "files", entrypoints.load_files),
    "archive": _archive,
    **{name: partial(_of_a_queue, name, partial(entrypoints.consume, name)) for name in SERVICES},
}

_service = os.environ.get("ORDERFLOW_SERVICE")
for _register in [_FUNCTIONS[_service]] if _service else _FUNCTIONS.values():
    _register()
