"""What an order's calls are on AWS: the SDK's own hook counts the requests that the adapters make."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from aws.conftest import Listen
from orderflow import topology
from orderflow_aws.publisher import SnsPublisher
from orderflow_aws.sdk import Clients
from orderflow_aws.store import DynamoStore
from orderflow_cli.cost.counting import Workflow
from orderflow_local.aws.provision import provision


@pytest.mark.parametrize("path", ["shipped", "cancelled"])
def test_each_call_of_an_order_is_one_request(clients: Clients, listen: Listen, path: str) -> None:
    resources = provision(clients, topology.build(), "orderflow", visibility_s=30)
    requests: Counter[str] = Counter()

    def note(request: Any, event_name: str, **_: Any) -> None:
        requests[event_name.rpartition(".")[2]] += 1

    workflow = Workflow(DynamoStore(clients, "orderflow"), SnsPublisher(clients, resources.topic_arn))
    listen(clients.dynamodb, "before-send.dynamodb", note)
    listen(clients.sns, "before-send.sns", note)
    totals = workflow.run(path).totals()
    assert requests == {
        "GetItem": totals["reads"],
        "PutItem": totals["writes"],
        "PublishBatch": totals["publish calls"],
    }
