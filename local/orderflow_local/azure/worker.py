"""Calling the functions of an app as the host of Azure Functions does: through a worker.

`load` chooses: `LibraryWorker` is Microsoft's worker library (azure-functions-runtime, Python 3.13 and newer), spoken
to in the messages of the host's own protocol; `BindingsWorker` decodes with the converters of `azure.functions`,
which the worker uses too, and calls the functions itself."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from orderflow_local.azure import protocol
from orderflow_local.azure.protocol import Typed


class FunctionFailed(Exception):
    """The function raised; the message is what a host would log."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What an HTTP function returned."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Worker(Protocol):
    """Functions by name."""

    def bindings(self, function: str) -> list[dict[str, Any]]:
        """The bindings of a function, as its ``function.json`` would hold them. Raises `LookupError`."""

    async def invoke(self, function: str, inputs: Mapping[str, Typed], metadata: Mapping[str, Typed]) -> Any:
        """Call a function with its trigger's data and metadata. Answers what it returned: an `HttpAnswer` or None.
        Raises `FunctionFailed`."""


async def load(app: Path) -> Worker:
    """Index the functions of ``function_app.py`` in a folder. Raises whatever its import raises."""
    sys.path.insert(0, str(app))
    if importlib.util.find_spec("azure_functions_runtime") is not None:
        return await LibraryWorker.load(app)
    return BindingsWorker()


class LibraryWorker:
    """Microsoft's worker library, behind the requests that the host would send it."""

    def __init__(self, library: Any, functions: Mapping[str, Any]) -> None:
        self._library = library
        self._functions = functions

    @classmethod
    async def load(cls, app: Path) -> LibraryWorker:
        os.environ.setdefault("PYTHON_ENABLE_INIT_INDEXING", "1")
        library: Any = importlib.import_module("azure_functions_runtime")
        library.start_threadpool_executor()
        start = protocol.Message(capabilities={}, function_app_directory=str(app))
        started = await library.worker_init_request(protocol.request(worker_init_request=start))
        if started.result.status != protocol.PROTOS.StatusResult.Success:
            raise FunctionFailed(f"{started.result.exception.message}\n{started.result.exception.stack_trace}")
        ask = protocol.Message(function_app_directory=str(app))
        answer = await library.functions_metadata_request(protocol.request(functions_metadata_request=ask))
        functions = {one.name: one for one in answer.function_metadata_results}
        for one in functions.values():
            wanted = protocol.Message(function_id=one.function_id)
            await library.function_load_request(protocol.request(function_load_request=wanted))
        return cls(library, functions)

    def bindings(self, function: str) -> list[dict[str, Any]]:
        return [json.loads(binding) for binding in self._functions[function].raw_bindings]

    async def invoke(self, function: str, inputs: Mapping[str, Typed], metadata: Mapping[str, Typed]) -> Any:
        call = protocol.invocation(self._functions[function].function_id, str(uuid4()), inputs, metadata)
        answer = await self._library.invocation_request(protocol.request(invocation_request=call))
        if answer.result.status != protocol.PROTOS.StatusResult.Success:
            raise FunctionFailed(f"{answer.result.exception.message}\n{answer.result.exception.stack_trace}")
        if answer.return_value is None:
            return None
        http = answer.return_value.http
        return HttpAnswer(int(http.status_code), http.headers, http.body.bytes)


class BindingsWorker:
    """The converters of `azure.functions`, and a thread pool as the worker has one."""

    def __init__(self) -> None:
        from azure.functions import FunctionApp, meta

        app = importlib.import_module("function_app")
        [found] = [value for value in vars(app).values() if isinstance(value, FunctionApp)]
        self._functions = {function.get_function_name(): function for function in found.get_functions()}
        self._meta: Any = meta
        self._converters = self._meta.get_binding_registry()
        self._pool = ThreadPoolExecutor(int(os.environ["PYTHON_THREADPOOL_THREAD_COUNT"]))

    def bindings(self, function: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._functions[function].get_function_json())["bindings"]
        return found

    async def invoke(self, function: str, inputs: Mapping[str, Typed], metadata: Mapping[str, Typed]) -> Any:
        trigger: Any = self._functions[function].get_trigger()
        converter = self._converters.get(trigger.type)
        known = {name: self._datum(value) for name, value in metadata.items()}
        arguments = {
            name: converter.decode(self._datum(value), trigger_metadata=known) for name, value in inputs.items()
        }
        call = self._functions[function].get_user_function()
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(**arguments))
        except Exception as error:
            raise FunctionFailed(f"{type(error).__name__}: {error}") from error
        if result is None:
            return None
        return HttpAnswer(result.status_code, dict(result.headers), result.get_body())

    def _datum(self, value: Typed) -> Any:
        datum = self._meta.Datum
        if value.type == "collection_bytes":
            return datum(protocol.Message(bytes=value.value), value.type)
        if value.type != "http":
            return datum(value.value, value.type)
        request = dict(value.value)
        for texts in ("headers", "query", "params"):
            request[texts] = {name: datum(text, "string") for name, text in request[texts].items()}
        request |= {name: datum(request[name], "string") for name in ("method", "url")}
        return datum({**request, "body": datum(request["body"], "bytes")}, "http")
