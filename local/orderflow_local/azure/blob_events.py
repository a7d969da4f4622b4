"""`BlobEvents`, a stand-in of ours for Event Grid's system topic of a storage account: it tells a queue of new blobs.

Kept: the event, as Event Grid sends ``Microsoft.Storage.BlobCreated`` in the CloudEvents schema for each blob that is
created or replaced (learn.microsoft.com/azure/event-grid/event-schema-blob-storage), and the properties of its message.
Not kept: Azurite tells nobody of its blobs, so the container is listed every second, and what is replaced twice within
one is told of once; what cannot be delivered is tried again for ever, and never dead-lettered."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from orderflow.ports import Unavailable
from orderflow_azure.sdk import Clients

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage
    from azure.storage.blob import BlobProperties, ContainerClient

_LIST_EVERY_S = 1.0
_SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/local"


class BlobEvents:
    """A thread that tells a service's queue of what appears in a container."""

    def __init__(self, environ: Mapping[str, str], service: str, container: str, queue: str) -> None:
        self._clients = Clients(environ)
        self._service = service
        self._container = container
        self._queue = queue
        self._told: set[tuple[str, str]] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blob-events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what it does is not waited for."""
        self._stopped.set()

    def _run(self) -> None:
        from azure.core.exceptions import AzureError

        container = self._clients.blobs.get_container_client(self._container)
        while not self._stopped.wait(_LIST_EVERY_S):
            with contextlib.suppress(AzureError, Unavailable):  # What was not told of is told of after the next look.
                for blob in container.list_blobs():
                    if (blob.name, blob.etag) not in self._told:
                        self._clients.send(self._queue, [_message(self._service, created(container, blob))])
                        self._told.add((blob.name, blob.etag))


def created(container: ContainerClient, blob: BlobProperties) -> dict[str, Any]:
    """The CloudEvent that tells of a blob."""
    return {
        "specversion": "1.0",
        "type": "Microsoft.Storage.BlobCreated",
        "source": f"{_SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts/{container.account_name}",
        "subject": f"/blobServices/default/containers/{container.container_name}/blobs/{blob.name}",
        "id": str(uuid4()),
        "time": blob.last_modified.isoformat(),
        "data": {
            "api": "PutBlob",
            "requestId": str(uuid4()),
            "eTag": blob.etag,
            "contentType": blob.content_settings.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": container.get_blob_client(blob.name).url,
            "sequencer": "0" * 48,
            "storageDiagnostics": {"batchId": str(uuid4())},
        },
    }


def _message(service: str, event: Mapping[str, Any]) -> ServiceBusMessage:
    from azure.servicebus import ServiceBusMessage

    return ServiceBusMessage(
        json.dumps(event, ensure_ascii=False).encode(),
        content_type="application/cloudevents+json; charset=utf-8",
        application_properties={
            "aeg-subscription-name": service,
            "aeg-delivery-count": "0",
            "aeg-event-type": "Notification",
            "aeg-metadata-version": "1.0",
            "aeg-output-event-id": event["id"],
        },
    )
