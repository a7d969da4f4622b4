"""The source file of the bare function."""

from __future__ import annotations

import base64
import json

import flask
import functions_framework
from pydantic import ValidationError

from benchmarks.cpu.bare import published
from benchmarks.cpu.bare import reserve as reserved

__all__ = ["published", "reserve"]


@functions_framework.http
def reserve(request: flask.Request) -> tuple[str, int]:
    """One pushed message; what is no event of ours is given back."""
    message = json.loads(request.get_data())["message"]
    try:
        reserved(base64.b64decode(message["data"]))
    except ValidationError:
        return "", 400
    return "", 204
