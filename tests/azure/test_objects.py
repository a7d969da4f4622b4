"""The object port on Blob Storage, answered by Azurite."""

from __future__ import annotations

import pytest

from orderflow.ports import Unavailable
from orderflow_azure.objects import BlobObjects
from orderflow_azure.sdk import Clients

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def objects(clients: Clients) -> BlobObjects:
    return BlobObjects(clients, "orderflow-archive")


def test_put_get_and_overwrite(objects: BlobObjects) -> None:
    objects.put("a/one", b"1")
    objects.put("a/one", bytes(range(256)))
    assert objects.get("a/one") == bytes(range(256))


def test_get_of_nothing_is_a_key_error(objects: BlobObjects) -> None:
    with pytest.raises(KeyError):
        objects.get("nothing")


def test_names_are_sorted_and_selected_by_prefix(objects: BlobObjects) -> None:
    for name in ("n/b", "n/a", "m/\u017d"):
        objects.put(name, b"")
    assert objects.names("n/") == ["n/a", "n/b"]
    assert {"m/\u017d", "n/a"} <= set(objects.names())


def test_a_missing_container_is_unavailable(clients: Clients) -> None:
    missing = BlobObjects(clients, "missing")
    for call in (lambda: missing.put("a", b""), lambda: missing.get("a"), missing.names):
        with pytest.raises(Unavailable):
            call()
