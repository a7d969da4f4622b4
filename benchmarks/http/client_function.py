"""The source file of orderflow's function as it is deployed, with the SDKs' clients: the service ``fraud``."""

from __future__ import annotations

import flask

from benchmarks.http.told import told
from orderflow_gcp.entrypoints import Answer, target

consume = target("fraud")
done: list[bytes] = []


def reserve(request: flask.Request) -> Answer:
    """One pushed message."""
    if request.method == "GET":
        return told(done), 200, {}
    answer = consume(request)
    if answer[1] == 204:
        done.append(b"")
    return answer
