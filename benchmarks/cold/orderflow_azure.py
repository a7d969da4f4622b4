"""orderflow by its own function app: the function of the service ``fraud``, called as the worker calls it."""

from __future__ import annotations

import os

from azure.functions.servicebus import ServiceBusMessage

import function_app
from benchmarks.cold.done import done

[function] = function_app.app.get_functions()
message = ServiceBusMessage(
    body=os.environ["BENCH_EVENT"].encode(),
    application_properties={"kind": "OrderPlaced"},
    user_properties={},
    message_id="m",
)
function.get_user_function()([message])
done()
