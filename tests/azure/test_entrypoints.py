"""The function app by itself: what it declares, what it imports, what it makes of the objects of Azure Functions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessage

import orderflow_azure
from orderflow import topology
from orderflow.http import Request, Response
from orderflow.ports import Delivery, Unavailable
from orderflow.processing import Done, Outcome, Retry
from orderflow_azure import entrypoints, wiring

FOLDER = Path(orderflow_azure.__file__).parent.parent
SERVICES: dict[str, Any] = topology.build()["services"]
TRIGGERS = {"http": "httpTrigger", "queue": "serviceBusTrigger", "schedule": "timerTrigger", "object": "blobTrigger"}
ENVIRON = {"ORDERFLOW_PREFIX": "shop", "ORDERFLOW_DROP_CONTAINER": "dropped", "ORDERFLOW_ARCHIVE_CONTAINER": "archived"}


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    path = os.pathsep.join([str(FOLDER), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRON, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def functions() -> dict[str, dict[str, Any]]:
    """The trigger of each function, by function name."""
    listing = python(
        "import json, function_app\n"
        "for one in function_app.app.get_functions():\n"
        "    bindings = json.loads(one.get_function_json())['bindings']\n"
        "    print(json.dumps([one.get_function_name(), bindings[0]]))"
    )
    return dict(json.loads(line) for line in listing.splitlines())


def test_there_is_one_function_for_each_service_of_the_topology(functions: dict[str, dict[str, Any]]) -> None:
    assert {name: trigger["type"] for name, trigger in functions.items()} == {
        name: TRIGGERS[service["trigger"]] for name, service in SERVICES.items() if service["trigger"] in TRIGGERS
    }


def test_queue_functions_read_batches_of_bytes_from_their_own_queue(functions: dict[str, dict[str, Any]]) -> None:
    for name, trigger in functions.items():
        if trigger["type"] == "serviceBusTrigger":
            assert trigger["queueName"] == f"shop-{name}"
            assert trigger["connection"] == "ORDERFLOW_SERVICEBUS"
            assert (trigger["cardinality"].lower(), trigger["dataType"].lower()) == ("many", "binary")


def test_the_blob_function_is_told_by_event_grid(functions: dict[str, dict[str, Any]]) -> None:
    trigger = functions["files"]
    assert (trigger["path"], trigger["source"]) == ("dropped/{name}", "EventGrid")
    assert trigger["connection"] == "ORDERFLOW_STORAGE"


def test_the_sweeper_runs_as_often_as_the_topology_says(functions: dict[str, dict[str, Any]]) -> None:
    minutes = re.fullmatch(r"0 \*/(\d+) \* \* \* \*", functions["sweeper"]["schedule"])
    assert minutes is not None and int(minutes[1]) * 60 == SERVICES["sweeper"]["every_s"]


def test_indexing_imports_no_client_and_no_service() -> None:
    heavy = ("azure.servicebus", "azure.eventgrid", "azure.data", "azure.storage", "azure.identity", "azure.core")
    shown = python(
        "import sys, function_app\n"
        f"print([name for name in sys.modules if name.startswith({heavy!r})"
        " or name.startswith('orderflow.services.') or name in ('orderflow.api', 'jwt')])"
    )
    assert shown.strip() == "[]"


def test_host_settings_agree_with_the_topology() -> None:
    settings = json.loads((FOLDER / "host.json").read_text())
    queues = [service["limits"] for service in SERVICES.values() if service["trigger"] == "queue"]
    batch = settings["extensions"]["serviceBus"]["maxMessageBatchSize"]
    assert {limits["batch_size"] for limits in queues} == {batch}
    hours, minutes, seconds = map(int, settings["functionTimeout"].split(":"))
    timeout = (hours * 60 + minutes) * 60 + seconds
    assert timeout > max(service["limits"]["timeout_s"] for service in SERVICES.values() if "limits" in service)
    assert timeout < min(limits["lock_s"] for limits in queues)
    assert settings["extensions"]["http"]["routePrefix"] == ""


class Application:
    """Stands where `orderflow.app.App` stands."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.deliveries: list[Delivery] = []
        self.request: Request | None = None
        self.name = ""

    def consume(self, service: str, deliveries: list[Delivery], *, deadline: float) -> list[Outcome]:
        self.deliveries = list(deliveries)
        return self.outcomes

    def respond(self, request: Request) -> Response:
        self.request = request
        return Response(418, {"content-type": "application/problem+json", "x-a": "b"}, b"\x00\xff")

    def load_file(self, name: str, *, deadline: float) -> Outcome:
        self.name = name
        return self.outcomes[0]


class Sent:
    """Stands where `orderflow_azure.sdk.Clients` stands."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Any]] = []

    def send(self, queue: str, messages: list[Any]) -> None:
        self.messages += [(queue, message) for message in messages]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()
    monkeypatch.setattr(entrypoints, "_clients", lambda: sent)
    return sent


def use(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome) -> Application:
    application = Application(*outcomes)
    monkeypatch.setattr(wiring, "app", lambda: application)
    return application


def message(number: int) -> ServiceBusMessage:
    return ServiceBusMessage(
        body=b"\xff%d" % number,
        application_properties={"kind": "OrderPlaced", "number": number},
        user_properties={},
        message_id=f"m-{number}",
        delivery_count=number,
        content_type="application/json",
    )


def test_messages_become_deliveries(monkeypatch: pytest.MonkeyPatch, sent: Sent) -> None:
    application = use(monkeypatch, Done(), Done())
    entrypoints.consume("order", "shop-order", [message(1), message(2)])
    assert application.deliveries == [
        Delivery(b"\xff1", {"kind": "OrderPlaced"}, "m-1", 1),
        Delivery(b"\xff2", {"kind": "OrderPlaced"}, "m-2", 2),
    ]
    assert sent.messages == []


def test_only_what_is_given_back_is_sent_again_later(monkeypatch: pytest.MonkeyPatch, sent: Sent) -> None:
    from datetime import UTC, datetime, timedelta

    use(monkeypatch, Done(), Retry(30.0, "not yet"), Done("dead-lettered"))
    before = datetime.now(UTC)
    entrypoints.consume("order", "shop-order", [message(1), message(2), message(3)])
    [(queue, again)] = sent.messages
    assert queue == "shop-order"
    assert b"".join(again.body) == b"\xff2"
    assert again.application_properties == {"kind": "OrderPlaced", "number": 2}
    assert again.content_type == "application/json"
    assert timedelta(seconds=30) <= again.scheduled_enqueue_time_utc - before < timedelta(seconds=40)


def test_a_failing_give_back_raises_so_that_the_broker_gives_the_batch_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def send(self, queue: str, messages: list[Any]) -> None:
            raise Unavailable("nobody there")

    use(monkeypatch, Done(), Retry(1.0, "not yet"))
    monkeypatch.setattr(entrypoints, "_clients", Broken)
    with pytest.raises(Unavailable):
        entrypoints.consume("order", "shop-order", [message(1), message(2)])


def test_a_request_is_decoded_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    application = use(monkeypatch)
    answer = entrypoints.api(
        func.HttpRequest(
            "post",
            "https://shop.example/v1/orders/%C5%BD?a=%26",
            headers={"Idempotency-Key": "k"},
            params={"a": "&"},
            route_params={"path": "v1/orders/\u017d"},
            body=b"{}",
        )
    )
    assert application.request == Request("POST", "/v1/orders/\u017d", {"a": "&"}, {"idempotency-key": "k"}, b"{}")
    assert (answer.status_code, answer.get_body(), answer.headers["x-a"]) == (418, b"\x00\xff", "b")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_file_is_named_by_its_place_in_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.functions.blob import InputStream

    application = use(monkeypatch, Done())
    entrypoints.load_file(InputStream(data=b"", name="dropped/stock/one.jsonl"))
    assert application.name == "stock/one.jsonl"


def test_a_file_that_must_come_again_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.functions.blob import InputStream

    use(monkeypatch, Retry(1.0, "out of time"))
    with pytest.raises(entrypoints.NotLoaded, match="out of time"):
        entrypoints.load_file(InputStream(data=b"", name="dropped/one.jsonl"))


@pytest.mark.parametrize("variable", ["ORDERFLOW_ARCHIVE_CONTAINER", "ORDERFLOW_DROP_CONTAINER"])
def test_a_missing_variable_is_named(variable: str) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != variable}
    with pytest.raises(KeyError, match=variable):
        wiring.bootstrap(environ)
