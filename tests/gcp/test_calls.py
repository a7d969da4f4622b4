"""What an order's calls are on Google Cloud: an interceptor of the channels counts the requests of the adapters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from gcp.conftest import PROJECT, Brokers, Desk
from orderflow_cli.cost.counting import Workflow
from orderflow_gcp.publisher import PubSubPublisher
from orderflow_gcp.store import FirestoreStore


class Counting(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    """Counts calls by method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        self.calls[details.method.rpartition("/")[2]] += 1
        return continuation(details, request)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Counts what goes through every channel that is opened from now on."""
    counting, plain = Counting(), grpc.insecure_channel

    def opened(*arguments: Any, **options: Any) -> Any:
        return grpc.intercept_channel(plain(*arguments, **options), counting)

    monkeypatch.setattr(grpc, "insecure_channel", opened)
    return counting


@pytest.mark.parametrize("path", ["shipped", "cancelled"])
def test_each_call_of_an_order_is_one_request(
    emulated: Brokers, desk: Desk, prefix: str, counting: Counting, path: str
) -> None:
    desk.topic("events")
    workflow = Workflow(FirestoreStore(PROJECT, "(default)", prefix), PubSubPublisher(PROJECT, prefix))
    counting.calls.clear()
    totals = workflow.run(path).totals()
    assert counting.calls == {
        "GetDocument": totals["reads"],
        "Commit": totals["writes"],
        "Publish": totals["publish calls"],
    }
