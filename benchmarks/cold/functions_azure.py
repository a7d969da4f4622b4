"""A bare function app with pydantic and Azure's clients."""

from __future__ import annotations

import json
import os
from typing import List  # noqa: UP035

import azure.functions as func
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.eventgrid import EventGridPublisherClient
from azure.functions.servicebus import ServiceBusMessage

from benchmarks.cold.done import done
from benchmarks.cold.models import OrderPlacedEvent, screened

app = func.FunctionApp()
table = TableServiceClient.from_connection_string(os.environ["ORDERFLOW_STORAGE"]).get_table_client("screenings")
key = AzureKeyCredential(os.environ["ORDERFLOW_EVENTGRID_KEY"])
topic = EventGridPublisherClient(os.environ["ORDERFLOW_EVENTGRID_ENDPOINT"], key)


@app.function_name("screen")
@app.service_bus_queue_trigger(
    "messages", connection="ORDERFLOW_SERVICEBUS", queue_name="screen", cardinality=func.Cardinality.MANY
)
def screen(messages: List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - the worker refuses list[...]
    """A batch."""
    for message in messages:
        event = OrderPlacedEvent.model_validate_json(message.get_body())
        try:
            table.create_entity({"PartitionKey": event.id, "RowKey": "screening", "subject": event.subject})
        except ResourceExistsError:
            continue
        said = json.loads(screened(event))
        topic.send([{"specversion": "1.0", "id": f"{event.id}-0", "type": "Screened", **said}])


[function] = app.get_functions()
body = os.environ["BENCH_EVENT"].encode()
message = ServiceBusMessage(body=body, application_properties={}, user_properties={}, message_id="m")
function.get_user_function()([message])
done()
