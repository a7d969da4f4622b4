"""What an order's calls are on Azure: the SDKs' transport counts the requests that the adapters make."""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from orderflow import topology
from orderflow_azure.publisher import EventGridPublisher
from orderflow_azure.sdk import Clients
from orderflow_azure.store import TablesStore
from orderflow_cli.cost.counting import Workflow


@pytest.mark.parametrize("path", ["shipped", "cancelled"])
def test_a_call_of_an_order_is_one_request_and_two_for_each_index_entry_that_moves(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    prefix = f"t{secrets.token_hex(4)}"
    for collection in topology.build()["collections"]:
        clients.tables.create_table(prefix + collection)
    workflow = Workflow(TablesStore(clients, prefix), EventGridPublisher(clients))
    requests: Counter[str] = Counter()
    plain = RequestsTransport.send

    def send(self: RequestsTransport, request: Any, **options: Any) -> Any:
        if "/api/events" in request.url:
            requests["publish"] += 1
        elif f"/{prefix}" in request.url:  # the local cloud's own watchers use the transport too
            requests[request.method] += 1
        return plain(self, request, **options)

    monkeypatch.setattr(RequestsTransport, "send", send)
    counted = workflow.run(path)
    calls = [call for execution in counted.executions for call in execution.calls]
    added, removed = sum(call.added for call in calls), sum(call.removed for call in calls)
    assert requests["GET"] == counted.totals()["reads"]
    assert sum(requests[method] for method in ("POST", "PUT", "PATCH")) == counted.totals()["writes"] + 2 * added
    assert requests["DELETE"] == 2 * removed
    assert requests["publish"] == counted.totals()["publish calls"]
