"""The objects port on S3, answered by moto."""

from __future__ import annotations

import pytest
from botocore.stub import Stubber

from orderflow.ports import Unavailable
from orderflow_aws.objects import S3Objects
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources


@pytest.fixture
def archive(clients: Clients, resources: Resources) -> S3Objects:
    return S3Objects(clients, resources.buckets["archive"])


def test_put_get_and_put_over(archive: S3Objects) -> None:
    archive.put("a/ž 1+2.json", b"first")
    archive.put("a/ž 1+2.json", b"\x00second")
    assert archive.get("a/ž 1+2.json") == b"\x00second"


def test_names_are_sorted_and_by_prefix(archive: S3Objects) -> None:
    for name in ("b/2", "a/1", "a/0"):
        archive.put(name, b"")
    assert archive.names() == ["a/0", "a/1", "b/2"]
    assert archive.names("a/") == ["a/0", "a/1"]
    assert archive.names("z") == []


def test_get_of_nothing_is_a_key_error(archive: S3Objects) -> None:
    with pytest.raises(KeyError, match="missing"):
        archive.get("missing")


def test_any_other_error_is_unavailable(archive: S3Objects, clients: Clients) -> None:
    with Stubber(clients.s3) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(Unavailable, match="AccessDenied"):
            archive.get("a")
