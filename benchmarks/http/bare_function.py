"""The source file of the bare function."""

from __future__ import annotations

import flask
from flask.typing import ResponseReturnValue

from benchmarks.cpu.framework_gcp_function import published
from benchmarks.cpu.framework_gcp_function import reserve as reserved
from benchmarks.http.told import told


def reserve(request: flask.Request) -> ResponseReturnValue:
    """One pushed message."""
    if request.method == "GET":
        return told(published), 200
    return reserved(request)
