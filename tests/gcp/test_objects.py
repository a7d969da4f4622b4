"""The objects port through the real google-cloud-storage, on the stand-in for Cloud Storage."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.objects_contract import ObjectsContract
from gcp.conftest import PROJECT, Desk
from orderflow.ports import Objects, Unavailable
from orderflow_gcp.objects import GcsObjects
from orderflow_local.processes import Process, free_port

pytestmark = pytest.mark.local_cloud


@pytest.fixture
def storage(desk: Desk, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Cloud Storage with an archive bucket, and a drop bucket whose objects a topic hears of; answers the topic."""
    topic = desk.topic("files")
    port = free_port()
    buckets = ["--bucket", "archive", "--bucket", f"drop={topic}"]
    options = ["--port", str(port), "--broker", desk.address, *buckets]
    process = Process(
        "storage", [sys.executable, "-m", "orderflow_local.gcp.gcs_standin", *options], tmp_path / "storage.log"
    )
    process.wait_for_port(port)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    yield topic
    process.stop()


class TestGcsObjects(ObjectsContract):
    """The contract of the objects port."""

    @pytest.fixture
    def objects(self, storage: str) -> Objects:
        return GcsObjects(PROJECT, "archive")


def test_a_large_object_goes_up_in_pieces(storage: str) -> None:
    objects = GcsObjects(PROJECT, "archive")
    data = bytes(range(256)) * 40_000
    objects.put("large", data)
    assert objects.get("large") == data


@pytest.mark.parametrize("data", [b"", b"\r\n", b"--x\r\n\r\nContent-Type: a/b\r\n\r\n--x--", b"\n\x0c\x1c\r"])
def test_no_content_is_taken_for_the_form_around_it(storage: str, data: bytes) -> None:
    objects = GcsObjects(PROJECT, "archive")
    objects.put("odd", data)
    assert objects.get("odd") == data


def test_the_topic_hears_of_what_is_dropped(storage: str, desk: Desk) -> None:
    subscription = desk.subscribe("files", storage)
    GcsObjects(PROJECT, "drop").put("stock/ö 1.csv", b"sku,quantity\n")
    [received] = desk.subscriber.pull(
        subscription=subscription, max_messages=10, timeout=60, retry=None
    ).received_messages
    attributes = dict(received.message.attributes)
    assert (attributes["eventType"], attributes["bucketId"]) == ("OBJECT_FINALIZE", "drop")
    assert attributes["objectId"] == "stock/ö 1.csv" == json.loads(received.message.data)["name"]


def test_a_missing_bucket_is_unavailable(storage: str) -> None:
    objects = GcsObjects(PROJECT, "nowhere")
    with pytest.raises(Unavailable):
        objects.put("a", b"1")
    with pytest.raises(Unavailable):
        objects.names()
