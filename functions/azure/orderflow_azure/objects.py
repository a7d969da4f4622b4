"""One container of Blob Storage.

Consistency
    Strong, listings included (learn.microsoft.com/azure/storage/blobs/concurrency-manage).
Errors
    `KeyError` for a blob that does not exist, otherwise `Unavailable`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


class BlobObjects:
    """`orderflow.ports.Objects` over one container."""

    def __init__(self, clients: Clients, container: str) -> None:
        self._clients = clients
        self._name = container

    def put(self, name: str, data: bytes) -> None:
        with unavailable("Blob upload"):
            self._container.upload_blob(name, data, overwrite=True)

    def get(self, name: str) -> bytes:
        from azure.core.exceptions import ResourceNotFoundError

        with unavailable("Blob download"):
            try:
                return self._container.download_blob(name).readall()
            except ResourceNotFoundError as error:
                if "ContainerNotFound" in str(error):
                    raise
                raise KeyError(name) from None

    def names(self, prefix: str = "") -> list[str]:
        with unavailable("Blob list"):
            return sorted(self._container.list_blob_names(name_starts_with=prefix or None))

    @property
    def _container(self) -> ContainerClient:
        return self._clients.blobs.get_container_client(self._name)
