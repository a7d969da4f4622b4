"""The source file of orderflow's function with ports in memory. The push's token is verified, with a key at hand."""

from __future__ import annotations

import json
import os

import flask
import jwt

from benchmarks.cpu.ours import app, published
from benchmarks.http.told import told
from orderflow_gcp import wiring
from orderflow_gcp.entrypoints import Answer, target

jwt.PyJWKClient.fetch_data = lambda self: json.loads(os.environ["BENCH_KEYS"])  # type: ignore[method-assign]
wiring.app = lambda: app  # type: ignore[assignment]
consume = target("reserving")


def reserve(request: flask.Request) -> Answer:
    """One pushed message."""
    if request.method == "GET":
        return told(published), 200, {}
    return consume(request)
