"""The lines that the functions write: JSON, and every id by which one finds the others about the same order."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from orderflow.ports import Delivery
from telemetry.world import Observed


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was printed since the last look."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_every_line_about_an_order_says_which_and_why(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    order_id = observed.place()
    observed.settle()

    found = lines(capsys)
    [request] = [line for line in found if line["message"] == "request" and line["path"] == "/orders"]
    assert (request["method"], request["status"], request["order_id"]) == ("POST", 202, order_id)
    heard = [line for line in found if "event_id" in line and line.get("order_id")]
    assert len(heard) > 20
    events = {envelope.id: envelope for envelope in observed.broker.published}
    for line in heard:
        event = events[line["event_id"]]
        assert line["order_id"] == line["correlation_id"] == order_id
        assert line.get("causation_id") == event.causationid
        assert line["traceparent"] == event.traceparent
        assert line["receives"] >= 1
    assert {line["message"] for line in heard} >= {"handled", "duplicate"}


def test_a_failed_attempt_says_which_it_was_and_a_dead_letter_of_what(
    observed: Observed, capsys: pytest.CaptureFixture[str]
) -> None:
    order_id = observed.place()
    observed.broker.queues["order"].clear()
    stored = observed.ports.store.get("orders", order_id)
    assert stored is not None
    observed.consume("inventory")
    reserved = observed.broker.queues["order"].popleft()
    unknown = Delivery(reserved.body.replace(order_id.encode(), b"o-nobody-has-placed"))
    observed.broker.queues["order"].clear()
    observed.broker.queues["order"].append(unknown)
    lines(capsys)
    observed.settle_with_retries()

    found = [line for line in lines(capsys) if line.get("service") == "order"]
    attempts = [line["attempt"] for line in found if line["message"] == "retry"]
    assert attempts == list(range(1, len(attempts) + 1))
    assert len(attempts) >= 2
    [letter] = [line for line in found if line["message"] == "dead-lettered" and line["severity"] == "ERROR"]
    assert (letter["order_id"], letter["kind"]) == ("o-nobody-has-placed", "InventoryReserved")
    assert letter["causation_id"]


def test_what_a_caller_puts_into_a_path_is_not_written(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    observed.ask("GET", "/orders/zoe@example.com")
    observed.ask("DELETE", "/customers/+49301234567/card/4242")

    paths = [line["path"] for line in lines(capsys) if line["message"] == "request"]
    assert paths == ["/orders/{id}", "/customers/{id}/{id}/{id}"]


def test_on_google_cloud_a_line_has_the_fields_that_cloud_logging_joins_traces_by() -> None:
    """A process of its own: whether it is on Google Cloud is known from its environment, at start."""
    program = (
        "from orderflow import log\n"
        "log.request('GET', '/orders', 200, None, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')\n"
        "log.request('GET', '/orders', 200, None, None)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env={"GOOGLE_CLOUD_PROJECT": "p-1"}, capture_output=True, text=True, check=True
    )
    first, second = map(json.loads, run.stdout.splitlines())
    assert first["logging.googleapis.com/trace"] == "projects/p-1/traces/4bf92f3577b34da6a3ce929d0e0e4736"
    assert first["logging.googleapis.com/spanId"] == "00f067aa0ba902b7"
    assert not [name for name in second if name.startswith("logging.googleapis.com")]
