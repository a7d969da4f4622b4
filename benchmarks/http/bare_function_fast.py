"""The source file of the bare function in the fast mode. It waits for nothing, so that it needs no thread."""

from __future__ import annotations

import base64
import json

from pydantic import ValidationError
from starlette.requests import Request

from benchmarks.cpu.bare import published
from benchmarks.cpu.bare import reserve as reserved
from benchmarks.http.told import told


async def reserve(request: Request) -> tuple[str, int]:
    """One pushed message; what is no event of ours is given back."""
    if request.method == "GET":
        return told(published), 200
    message = json.loads(await request.body())["message"]
    try:
        reserved(base64.b64decode(message["data"]))
    except ValidationError:
        return "", 400
    return "", 204
