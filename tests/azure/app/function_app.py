"""The real function app over a pretended application, which writes down what it is asked and does what messages say.

A message ``{"id": "m", "do": [STEP, ...]}`` is treated by its first step, then its second, ...: ``done``, ``retry``
(after half a second), ``raise``, ``hang``.
"""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orderflow_azure
from orderflow.http import Request, Response
from orderflow.ports import Conflict, Delivery, Document
from orderflow.processing import Done, Outcome, Retry
from orderflow_azure import wiring


class Pretended:
    """Stands where `orderflow.app.App` stands."""

    def __init__(self) -> None:
        import os

        self.ports = wiring.bootstrap(os.environ)

    def consume(self, service: str, deliveries: Sequence[Delivery], *, deadline: float) -> list[Outcome]:
        return [self._deliver(service, delivery, len(deliveries)) for delivery in deliveries]

    def respond(self, request: Request) -> Response:
        seen = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "body": request.body.decode(),
        }
        if request.path == "/broken":
            raise RuntimeError("broken")
        headers = {"content-type": "application/json", "x-answer": "42"}
        return Response(int(request.query.get("status", "200")), headers, json.dumps(seen).encode())

    def sweep(self, *, deadline: float) -> None:
        self._note("sweep", {})

    def load_file(self, name: str, *, receives: int, deadline: float) -> Outcome:
        data = self.ports.drop.get(name)
        times = self._note(f"file-{name.replace('/', '=')}", {"size": len(data)})
        return Retry(1.0, "not yet") if b"twice" in data and times < 2 else Done()

    def _deliver(self, service: str, delivery: Delivery, batch: int) -> Outcome:
        message = json.loads(delivery.body)
        message = message.get("data", message)
        seen = {
            "service": service,
            "receives": delivery.receives,
            "transport_id": delivery.transport_id,
            "attributes": dict(delivery.attributes),
            "body": delivery.body.decode(),
            "batch": batch,
        }
        step = message["do"][min(self._note(message["id"], seen), len(message["do"])) - 1]
        match step:
            case "retry":
                return Retry(0.5, "not yet")
            case "raise":
                raise RuntimeError("as told")
            case "hang":
                threading.Event().wait()
        return Done()

    def _note(self, key: str, seen: Document) -> int:
        """Add to what was seen under a key, by others at the same time too. Answers how often that was."""
        while True:
            stored = self.ports.store.get("orders", key)
            state = [*(stored.document["state"] if stored else []), seen]
            document = {"rev": len(state), "state": state}
            try:
                if stored:
                    self.ports.store.replace("orders", key, document, stored)
                else:
                    self.ports.store.insert("orders", key, document)
                return len(state)
            except Conflict:
                continue


@cache
def pretended() -> Any:
    return Pretended()


wiring.app = pretended

_real = Path(orderflow_azure.__file__).parent.parent / "function_app.py"
_spec = importlib.util.spec_from_file_location("real_function_app", _real)
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
app = _module.app
