"""The objects port on S3, answered by moto."""

from __future__ import annotations

import pytest
from botocore.stub import Stubber

from contracts.objects_contract import ObjectsContract
from orderflow.ports import Objects, Unavailable
from orderflow_aws.objects import S3Objects
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources


@pytest.fixture
def archive(clients: Clients, resources: Resources) -> S3Objects:
    return S3Objects(clients, resources.buckets["archive"])


class TestS3Objects(ObjectsContract):
    """The contract of the objects port."""

    @pytest.fixture
    def objects(self, archive: S3Objects) -> Objects:
        return archive


def test_any_other_error_is_unavailable(archive: S3Objects, clients: Clients) -> None:
    with Stubber(clients.s3) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        with pytest.raises(Unavailable, match="AccessDenied"):
            archive.get("a")
