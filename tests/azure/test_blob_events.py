"""The stand-in for Event Grid's events of a storage account: what a queue is told of new blobs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient

from orderflow_azure.deadletters import strings
from orderflow_azure.notifications import blob_name
from orderflow_azure.objects import BlobObjects
from orderflow_azure.sdk import Clients

pytestmark = pytest.mark.local_cloud


def told(service_bus: ServiceBusClient, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The next event about a blob, with its message's properties; others are thrown away."""
    with service_bus.get_queue_receiver("orderflow-files") as receiver:
        while True:
            [message] = receiver.receive_messages(1, max_wait_time=30)
            receiver.complete_message(message)
            body = b"".join(message.body)
            if blob_name(body) == name:
                return json.loads(body), strings(message.application_properties)


def test_a_blob_that_is_created_or_replaced_is_told_of_as_event_grid_does(
    clients: Clients, service_bus: ServiceBusClient
) -> None:
    drop = BlobObjects(clients, "orderflow-drop")
    name = "stock/100 % ž+.csv"
    drop.put(name, b"sku,quantity\n")
    event, properties = told(service_bus, name)
    assert (event["specversion"], event["type"]) == ("1.0", "Microsoft.Storage.BlobCreated")
    assert event["source"].endswith("/providers/Microsoft.Storage/storageAccounts/orderflow")
    assert event["subject"] == f"/blobServices/default/containers/orderflow-drop/blobs/{name}"
    assert event["data"].keys() >= {"api", "requestId", "eTag", "contentType", "contentLength", "blobType", "url"}
    assert event["data"]["contentLength"] == 13
    assert properties["aeg-subscription-name"] == "files"
    assert properties["aeg-output-event-id"] == event["id"]

    drop.put(name, b"sku,quantity\nA,1\n")
    again, _ = told(service_bus, name)
    assert again["id"] != event["id"]
    assert again["data"]["eTag"] != event["data"]["eTag"]
