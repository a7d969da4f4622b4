"""Service Bus messages as the worker of Azure Functions hands them to a function, which both programs are called by."""

from __future__ import annotations

import json
from typing import Any

from azure.functions.servicebus import ServiceBusMessage

from benchmarks.cpu.measure import Handler


def messages(bodies: list[dict[str, Any]]) -> list[ServiceBusMessage]:
    """A batch."""
    return [
        ServiceBusMessage(
            body=json.dumps(body).encode(),
            application_properties={name: body[name] for name in ("kind", "category", "tier")},
            user_properties={},
            delivery_count=1,
            message_id=f"{place}-{body['id']}",
        )
        for place, body in enumerate(bodies)
    ]


def handler(function_app: Any) -> Handler:
    """Calls the only function of an app."""
    [function] = function_app.get_functions()
    user_function = function.get_user_function()

    def handle(batch: list[ServiceBusMessage], context: Any) -> dict[str, Any]:
        user_function(batch)
        return {"batchItemFailures": []}

    return handle
