"""Pub/Sub pushes as a WSGI server hands them to functions-framework's application, which both programs are called
through."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from werkzeug.test import create_environ, run_wsgi_app

from benchmarks.cpu.measure import Handler

Environment = dict[str, Any]


def pushes(token: str = "none") -> Callable[[list[dict[str, Any]]], list[Environment]]:  # noqa: S107  it is none
    """Makes a request of each CloudEvent (cloud.google.com/pubsub/docs/push#receive_push)."""

    def wrap(bodies: list[dict[str, Any]]) -> list[Environment]:
        return [_push(body, place, token) for place, body in enumerate(bodies)]

    return wrap


def pushed(body: dict[str, Any], place: int) -> bytes:
    """The body of the request that a CloudEvent comes with."""
    attributes = {name: body[name] for name in ("kind", "category", "tier")}
    data = b64encode(json.dumps(body).encode()).decode()
    message = {
        "data": data,
        "attributes": attributes,
        "messageId": f"{place}-{body['id']}",
        "publishTime": body["time"],
    }
    return json.dumps({"message": message, "subscription": "projects/benchmark/subscriptions/benchmark"}).encode()


def _push(body: dict[str, Any], place: int, token: str) -> Environment:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return create_environ("/", method="POST", data=pushed(body, place), headers=headers)


def handler(application: Any) -> Handler:
    """Sends requests through a WSGI application, one after the other."""

    def handle(requests: list[Environment], context: Any) -> dict[str, Any]:
        failures = []
        for place, request in enumerate(requests):
            _, status, _ = run_wsgi_app(application, request)
            if not status.startswith("204"):
                failures.append(place)
        return {"batchItemFailures": failures}

    return handle
