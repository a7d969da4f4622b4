"""The source file of orderflow's functions in the fast mode. What it does waits for the store and the broker, so that a
thread does it; functions-framework hands functions to threads by itself, but what they got could not be read there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

reserved = import_module(os.environ["BENCH_FUNCTION"]).reserve


@dataclass(frozen=True, slots=True)
class Pushed:
    """A request whose body has come, with as much of Flask's as the entrypoint reads."""

    method: str
    headers: Mapping[str, str]
    body: bytes

    def get_data(self) -> bytes:
        return self.body


async def reserve(request: Request) -> Response:
    """One pushed message."""
    pushed: Any = Pushed(request.method, request.headers, await request.body())
    content, status, headers = await run_in_threadpool(reserved, pushed)
    return Response(content, status, headers)
