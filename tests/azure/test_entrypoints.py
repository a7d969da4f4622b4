"""The function app by itself: what it declares, what it imports, what it makes of the objects of Azure Functions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest
from azure.functions.servicebus import ServiceBusMessage

import orderflow_azure
from orderflow import topology
from orderflow.http import Request, Response
from orderflow.ports import DeadLetter, Delivery, Unavailable
from orderflow.processing import Done, Outcome, Retry
from orderflow_azure import entrypoints, wiring

FOLDER = Path(orderflow_azure.__file__).parent.parent
SERVICES: dict[str, Any] = topology.build()["services"]
TRIGGERS = {
    "http": "httpTrigger",
    "queue": "serviceBusTrigger",
    "object": "serviceBusTrigger",
    "schedule": "timerTrigger",
    "sink": "timerTrigger",
}
ENVIRON = {"ORDERFLOW_PREFIX": "shop", "ORDERFLOW_DROP_CONTAINER": "dropped", "ORDERFLOW_ARCHIVE_CONTAINER": "archived"}


def python(code: str, **environ: str) -> str:
    """What a fresh interpreter prints."""
    path = os.pathsep.join([str(FOLDER), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **ENVIRON, "PYTHONPATH": path, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LIST = (
    "import json, function_app\n"
    "for one in function_app.app.get_functions():\n"
    "    bindings = json.loads(one.get_function_json())['bindings']\n"
    "    print(json.dumps([one.get_function_name(), bindings[0]]))"
)


@pytest.fixture(scope="module")
def functions() -> dict[str, dict[str, Any]]:
    """The trigger of each function, by function name."""
    return dict(json.loads(line) for line in python(LIST).splitlines())


def test_there_is_one_function_for_each_service_of_the_topology(functions: dict[str, dict[str, Any]]) -> None:
    assert {name: trigger["type"] for name, trigger in functions.items()} == {
        name: TRIGGERS[service["trigger"]] for name, service in SERVICES.items()
    }


@pytest.mark.parametrize("service", ["api", "sweeper", "files", "archive", "payment"])
def test_an_app_of_one_service_has_the_function_of_that_service_only(
    service: str, functions: dict[str, dict[str, Any]]
) -> None:
    """Its identity may do what that service may do: another's queue it could not even open."""
    [line] = python(LIST, ORDERFLOW_SERVICE=service).splitlines()
    assert json.loads(line) == [service, functions[service]]


def test_an_app_of_an_unknown_service_does_not_start() -> None:
    with pytest.raises(AssertionError, match="KeyError: 'nobody'"):
        python(LIST, ORDERFLOW_SERVICE="nobody")


def test_queue_functions_read_batches_of_bytes_from_their_own_queue(functions: dict[str, dict[str, Any]]) -> None:
    for name, trigger in functions.items():
        if trigger["type"] == "serviceBusTrigger":
            assert trigger["queueName"] == f"shop-{name}"
            assert trigger["connection"] == "ORDERFLOW_SERVICEBUS"
            assert (trigger["cardinality"].lower(), trigger["dataType"].lower()) == ("many", "binary")


@pytest.mark.parametrize("timer", ["sweeper", "archive"])
def test_a_timer_runs_as_often_as_the_topology_says(timer: str, functions: dict[str, dict[str, Any]]) -> None:
    minutes = re.fullmatch(r"0 \*/(\d+) \* \* \* \*", functions[timer]["schedule"])
    assert minutes is not None and int(minutes[1]) * 60 == SERVICES[timer]["every_s"]


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
    functions = [service["limits"] for service in SERVICES.values() if service["trigger"] != "sink"]
    assert timeout > max(limits["timeout_s"] for limits in functions)
    assert timeout < min(limits["lock_s"] for limits in queues)
    assert settings["extensions"]["http"]["routePrefix"] == ""


def test_the_host_keeps_every_line_that_a_function_writes() -> None:
    """What a worker prints is of this category and of the level Information (WorkerProcess.cs of
    Azure/azure-functions-host) and becomes a trace, of which Application Insights keeps a sample unless told
    otherwise."""
    logging = json.loads((FOLDER / "host.json").read_text())["logging"]
    assert logging["logLevel"]["Host.Function.Console"] == "Information"
    sampling = logging["applicationInsights"]["samplingSettings"]
    assert {"Trace", "Request", "Exception"} <= set(sampling["excludedTypes"].split(";"))


class Application:
    """Stands where `orderflow.app.App` stands."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.deliveries: list[Delivery] = []
        self.request: Request | None = None
        self.names: list[str] = []
        self.receives: list[int] = []
        self.letters: list[DeadLetter] = []
        self.ports = SimpleNamespace(dead_letters=SimpleNamespace(send=self.letters.append))

    def consume(self, service: str, deliveries: list[Delivery], *, deadline: float) -> list[Outcome]:
        self.deliveries = list(deliveries)
        return self.outcomes

    def respond(self, request: Request) -> Response:
        self.request = request
        return Response(418, {"content-type": "application/problem+json", "x-a": "b"}, b"\x00\xff")

    def load_file(self, name: str, *, receives: int, deadline: float) -> Outcome:
        self.names.append(name)
        self.receives.append(receives)
        return self.outcomes[len(self.names) - 1]


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


def told(subject: str, deliveries: int = 1, **properties: Any) -> ServiceBusMessage:
    """A message of Event Grid's."""
    event = {"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "subject": subject, "data": {}}
    return ServiceBusMessage(
        body=json.dumps(event).encode(),
        application_properties={"aeg-event-type": "Notification", **properties},
        user_properties={},
        message_id="m",
        delivery_count=deliveries,
        content_type="application/cloudevents+json; charset=utf-8",
    )


DROPPED = "/blobServices/default/containers/dropped/blobs/"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (f"{DROPPED}stock/one.jsonl", "stock/one.jsonl"),
        (f"{DROPPED}stock/blobs/100 % \u017d+.csv", "stock/blobs/100 % \u017d+.csv"),
        ("blobServices/default/containers/blobs/blobs/a", "a"),
    ],
)
def test_a_file_is_named_by_the_subject_of_event_grids_event(
    monkeypatch: pytest.MonkeyPatch, sent: Sent, subject: str, name: str
) -> None:
    application = use(monkeypatch, Done())
    entrypoints.load_files("shop-files", [told(subject)])
    assert application.names == [name]
    assert (application.letters, sent.messages) == ([], [])


def test_only_the_file_that_must_come_again_does_and_all_its_copies_are_counted(
    monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    application = use(monkeypatch, Done(), Retry(1.0, "out of time"), Retry(32.0, "again"))
    before = datetime.now(UTC)
    entrypoints.load_files("shop-files", [told(f"{DROPPED}{name}") for name in "ab"])
    [(queue, again)] = sent.messages
    assert (queue, again.application_properties["orderflow-deliveries"]) == ("shop-files", 1)
    assert json.loads(b"".join(again.body))["subject"] == f"{DROPPED}b"

    entrypoints.load_files("shop-files", [told(f"{DROPPED}b", 2, **{"orderflow-deliveries": 4})])
    latest = sent.messages[-1][1]
    assert latest.application_properties == {"aeg-event-type": "Notification", "orderflow-deliveries": 6}
    assert application.receives == [1, 1, 6]
    waits = [each.scheduled_enqueue_time_utc - before for each in (again, latest)]
    assert timedelta(seconds=1) <= waits[0] < timedelta(seconds=10)
    assert timedelta(seconds=32) <= waits[1] < timedelta(seconds=42)


def test_a_file_that_came_as_often_as_a_broker_may_deliver_is_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    application = use(monkeypatch, Retry(1.0, "the store is away"))
    last = SERVICES["files"]["limits"]["broker_max_deliveries"]
    message = told(f"{DROPPED}b", **{"orderflow-deliveries": last - 1})
    entrypoints.load_files("shop-files", [message])
    [letter] = application.letters
    assert (letter.service, letter.reason, letter.detail) == ("files", "attempts-exhausted", "the store is away")
    assert (letter.attempts, letter.body) == (last, message.get_body())
    assert letter.attributes == {"aeg-event-type": "Notification"}, "redriven it begins anew"
    assert sent.messages == []


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"subject": 1}', b'{"subject": "/elsewhere"}'])
def test_what_tells_of_no_blob_is_a_dead_letter_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, sent: Sent, body: bytes
) -> None:
    application = use(monkeypatch, Done())
    nonsense = ServiceBusMessage(body=body, application_properties={}, user_properties={}, message_id="m")
    entrypoints.load_files("shop-files", [nonsense, told(f"{DROPPED}a")])
    assert [(letter.reason, letter.body) for letter in application.letters] == [("malformed", body)]
    assert application.names == ["a"]
    assert sent.messages == []


@pytest.mark.parametrize("variable", ["ORDERFLOW_ARCHIVE_CONTAINER", "ORDERFLOW_DROP_CONTAINER"])
def test_a_missing_variable_is_named(variable: str) -> None:
    environ = {name: value for name, value in ENVIRON.items() if name != variable}
    with pytest.raises(KeyError, match=variable):
        wiring.bootstrap(environ)
