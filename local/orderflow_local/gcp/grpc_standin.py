"""What the two gRPC stand-ins share: methods of a Google API served by plain async functions on its own message
classes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc

Message = Any
"""A message in protobuf's own class, which is several times faster than its proto-plus wrapper."""

Method = Any
"""A `grpc.RpcMethodHandler`."""


class Refused(Exception):
    """The call ends with a status code and a message."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def unary(request: Any, response: Any, answer: Callable[[Message], Awaitable[Message]]) -> Method:
    """A method with one answer; ``request`` and ``response`` are proto-plus classes."""

    async def handle(message: Message, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        try:
            return await answer(message)
        except Refused as refused:
            await context.abort(refused.code, str(refused))

    return grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request.pb().FromString, response_serializer=response.pb().SerializeToString
    )


def stream(request: Any, response: Any, answer: Callable[[Message], list[Message]]) -> Method:
    """A method that answers with a stream, all of which is known at once."""

    async def handle(message: Message, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Message]:
        try:
            for part in answer(message):
                yield part
        except Refused as refused:
            await context.abort(refused.code, str(refused))

    return grpc.unary_stream_rpc_method_handler(
        handle, request_deserializer=request.pb().FromString, response_serializer=response.pb().SerializeToString
    )


def serve(description: str, make: Callable[[], Mapping[str, Mapping[str, Method]]]) -> None:
    """The main program of a stand-in: serve methods by service name on a port of 127.0.0.1, until stopped."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", required=True, type=int)
    asyncio.run(_serve(parser.parse_args().port, make))


async def _serve(port: int, make: Callable[[], Mapping[str, Mapping[str, Method]]]) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, dict(methods)) for name, methods in make().items())
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()
