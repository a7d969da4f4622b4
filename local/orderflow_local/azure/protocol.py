"""The messages between the host of Azure Functions and its Python worker, as plain objects.

The worker library takes the protobuf classes that it answers with as a parameter and reads requests by attribute
(github.com/Azure/azure-functions-language-worker-protobuf names the fields), so plain objects serve.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

Message = SimpleNamespace


@dataclass(frozen=True, slots=True)
class Typed:
    """A value with the name of its field in the protocol's TypedData: ``json``, ``collection_bytes`` or ``http`` (a
    dict of method, url, headers, query, params, body)."""

    type: str
    value: Any


def as_json(value: Any) -> Typed:
    """A value as JSON text."""
    return Typed("json", json.dumps(value))


class _OneOf(SimpleNamespace):
    """A protobuf message with a oneof: it knows which of its fields is set."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - protobuf calls it so
        return next((name for name, value in vars(self).items() if value is not None and name != "name"), None)


class _Outcome(SimpleNamespace):
    Failure, Success, Cancelled = 0, 1, 2


class _Direction(SimpleNamespace):
    undefined = 0


for _number, _name in enumerate(("in", "out", "inout")):
    setattr(_Direction, _name, _number)


class _Cookie(SimpleNamespace):
    SameSite = SimpleNamespace(Lax=1, Strict=2, ExplicitNone=3, **{"None": 0})


_PLAIN = (
    *("WorkerInitResponse", "WorkerMetadata", "FunctionMetadataResponse", "FunctionLoadResponse", "InvocationResponse"),
    *("FunctionEnvironmentReloadResponse", "RpcException", "RpcFunctionMetadata", "RpcRetryOptions", "RpcHttp"),
    *("NullableString", "NullableBool", "NullableDouble", "NullableTimestamp"),
)

PROTOS = SimpleNamespace(
    **dict.fromkeys(_PLAIN, Message),
    StatusResult=_Outcome,
    BindingInfo=_Direction,
    TypedData=_OneOf,
    ParameterBinding=_OneOf,
    RpcHttpCookie=_Cookie,
)
"""What the library makes its answers of."""


def request(**content: Any) -> Message:
    """A request of the host to the worker library."""
    return Message(request=Message(**content), properties={"host": "127.0.0.1", "protos": PROTOS})


def invocation(
    function_id: str, invocation_id: str, inputs: Mapping[str, Typed], metadata: Mapping[str, Typed]
) -> Message:
    """The request to call a function."""
    return Message(
        invocation_id=invocation_id,
        function_id=function_id,
        input_data=[_OneOf(name=name, data=_typed_data(value)) for name, value in inputs.items()],
        trigger_metadata={name: _typed_data(value) for name, value in metadata.items()},
        trace_context=Message(trace_parent="", trace_state="", attributes={}),
        retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
    )


def _typed_data(value: Typed) -> _OneOf:
    match value.type:
        case "http":
            return _OneOf(http=Message(**{**value.value, "body": _OneOf(bytes=value.value["body"])}))
        case "collection_bytes":
            return _OneOf(collection_bytes=Message(bytes=value.value))
        case _:
            return _OneOf(**{value.type: value.value})
