"""The object port on Blob Storage, answered by Azurite."""

from __future__ import annotations

import secrets

import pytest

from contracts.objects_contract import ObjectsContract
from orderflow.ports import Objects, Unavailable
from orderflow_azure.objects import BlobObjects
from orderflow_azure.sdk import Clients

pytestmark = pytest.mark.local_cloud


class TestBlobObjects(ObjectsContract):
    """The contract of the objects port."""

    @pytest.fixture
    def objects(self, clients: Clients) -> Objects:
        container = f"t{secrets.token_hex(4)}"
        clients.blobs.create_container(container)
        return BlobObjects(clients, container)


def test_a_missing_container_is_unavailable(clients: Clients) -> None:
    missing = BlobObjects(clients, "missing")
    for call in (lambda: missing.put("a", b""), lambda: missing.get("a"), missing.names):
        with pytest.raises(Unavailable):
            call()
