"""The functions as functions-framework serves them, with an application that notes what it is asked."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask.testing
import functions_framework
import jwt
import pytest

from gcp.test_push import ACCOUNT, AUDIENCE, ISSUER, KEYS
from orderflow import topology
from orderflow.http import Request, Response
from orderflow.ports import Delivery
from orderflow.processing import Done, Outcome, Retry
from orderflow.settings import BadSetting
from orderflow.sweeper import Swept
from orderflow_gcp import entrypoints, wiring
from orderflow_gcp.push import NotConfigured

MAIN = str(Path(__file__).parents[2] / "functions" / "gcp" / "main.py")
Serve = Callable[[str], flask.testing.FlaskClient]


@dataclass
class NotingApp:
    """An application that answers as it is told."""

    outcome: Outcome = field(default_factory=Done)
    response: Response = field(default_factory=lambda: Response(200, {}, b""))
    swept: Swept | None = field(default_factory=Swept)
    error: Exception | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    deadline: float = 0.0

    def consume(self, service: str, deliveries: Sequence[Delivery], *, deadline: float) -> list[Outcome]:
        self._note(deadline, service, *deliveries)
        return [self.outcome] * len(deliveries)

    def load_file(self, name: str, *, receives: int, deadline: float) -> Outcome:
        self._note(deadline, name, receives)
        return self.outcome

    def sweep(self, *, deadline: float) -> Swept | None:
        self._note(deadline)
        return self.swept

    def respond(self, request: Request) -> Response:
        self._note(0, request)
        return self.response

    def _note(self, deadline: float, *what: Any) -> None:
        self.asked.append(what)
        self.deadline = deadline
        if self.error:
            raise self.error


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> NotingApp:
    app = NotingApp()
    monkeypatch.setattr(wiring, "app", lambda: app)
    return app


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERFLOW_PUSH_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("ORDERFLOW_PUSH_SERVICE_ACCOUNT", ACCOUNT)
    monkeypatch.setenv("ORDERFLOW_PUSH_ISSUER", ISSUER)
    monkeypatch.setenv("ORDERFLOW_PUSH_JWKS_URL", f"{ISSUER}/jwks.json")
    monkeypatch.setattr(jwt.PyJWKClient, "fetch_data", lambda _: KEYS.jwks())
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    monkeypatch.setenv("ORDERFLOW_ARCHIVE_BUCKET", "archive")
    monkeypatch.setenv("ORDERFLOW_DROP_BUCKET", "drop")
    entrypoints.target.cache_clear()
    wiring.app.cache_clear()


@pytest.fixture
def serve() -> Serve:
    """The real functions-framework around a target."""
    return lambda target: functions_framework.create_app(target, MAIN).test_client()  # type: ignore[no-untyped-call]


def push(client: flask.testing.FlaskClient, body: bytes, *, account: str = ACCOUNT) -> Any:
    token = KEYS.sign("1", AUDIENCE, account)
    return client.post("/", data=body, headers={"Authorization": f"Bearer {token}"})


def wrapped(data: bytes = b"{}", **attributes: str) -> bytes:
    message = {"data": base64.b64encode(data).decode(), "attributes": attributes, "messageId": "7"}
    return json.dumps({"message": message, "deliveryAttempt": 2}).encode()


def test_a_message_that_is_done_is_acknowledged(app: NotingApp, serve: Serve) -> None:
    before = time.time()
    answer = push(serve("inventory"), wrapped(b"{}", kind="OrderPlaced"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert app.asked == [("inventory", Delivery(b"{}", {"kind": "OrderPlaced"}, "7", 2))]
    assert before < app.deadline < time.time() + 30


def test_a_message_to_come_again_is_no_success_and_no_server_error(app: NotingApp, serve: Serve) -> None:
    app.outcome = Retry(1.2, "too many conflicts")
    answer = push(serve("inventory"), wrapped())
    assert (answer.status_code, answer.data) == (429, b"too many conflicts")
    assert answer.headers["Retry-After"] == "2"


def test_a_crash_is_a_server_error(app: NotingApp, serve: Serve) -> None:
    app.error = RuntimeError("crash")
    assert push(serve("inventory"), wrapped()).status_code == 500


def test_nonsense_goes_to_the_shell_as_it_came(app: NotingApp, serve: Serve) -> None:
    assert push(serve("inventory"), b"\xff").status_code == 204
    assert app.asked == [("inventory", Delivery(b"\xff"))]


@pytest.mark.parametrize("target", ["inventory", "files", "sweeper"])
def test_nothing_is_done_for_strangers(app: NotingApp, serve: Serve, target: str) -> None:
    client = serve(target)
    assert client.post("/", data=wrapped()).status_code == 401
    assert push(client, wrapped(), account="other@example.com").status_code == 403
    assert app.asked == []


@pytest.mark.parametrize("name", ["stock/ö 1.csv", "a"])
def test_a_written_object_is_loaded(app: NotingApp, serve: Serve, name: str) -> None:
    client = serve("files")
    notification = wrapped(b"{}", eventType="OBJECT_FINALIZE", objectId=name, bucketId="drop")
    assert push(client, notification).status_code == 204
    assert push(client, wrapped(json.dumps({"name": name}).encode())).status_code == 204
    assert app.asked == [(name, 2), (name, 2)]
    app.outcome = Retry(1.0, "later")
    assert push(client, notification).status_code == 429


def test_a_deleted_object_is_not_loaded(app: NotingApp, serve: Serve) -> None:
    assert push(serve("files"), wrapped(b"{}", eventType="OBJECT_DELETE", objectId="a")).status_code == 204
    assert app.asked == []


@pytest.mark.parametrize("body", [b"\xff", wrapped(b"{}"), wrapped(b"[]"), wrapped(b"")])
def test_a_notification_without_a_name_stays_with_the_broker(app: NotingApp, serve: Serve, body: bytes) -> None:
    assert push(serve("files"), body).status_code == 500
    assert app.asked == []


def test_the_sweeper_answers_what_it_did(app: NotingApp, serve: Serve) -> None:
    client = serve("sweeper")
    app.swept = Swept(looked_at=3, republished=2)
    assert push(client, b"").get_json() == {"looked_at": 3, "expired": 0, "republished": 2, "failed": 0}
    app.swept = None
    assert push(client, b"").status_code == 200


def test_the_api_hears_the_request_and_answers_as_told(app: NotingApp, serve: Serve) -> None:
    app.response = Response(202, {"location": "/orders/1", "content-type": "application/json"}, b'{"a": 1}')
    answer = serve("api").post("/orders/%C3%B6?limit=2&x=", data=b"\xff", headers={"Idempotency-Key": "K"})
    assert (answer.status_code, answer.data) == (202, b'{"a": 1}')
    assert (answer.headers["Location"], answer.headers["Content-Type"]) == ("/orders/1", "application/json")
    [[request]] = app.asked
    assert (request.method, request.path, request.query) == ("POST", "/orders/ö", {"limit": "2", "x": ""})
    assert (request.headers["idempotency-key"], request.body) == ("K", b"\xff")


@pytest.mark.parametrize(
    "service", [name for name, declared in topology.build()["services"].items() if declared["trigger"] != "sink"]
)
def test_every_function_of_the_topology_is_a_target(serve: Serve, service: str) -> None:
    serve(service)


def test_consume_serves_the_service_that_the_environment_names(
    app: NotingApp, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotConfigured, match="ORDERFLOW_SERVICE"):
        serve("consume")
    monkeypatch.setenv("ORDERFLOW_SERVICE", "payment")
    push(serve("consume"), wrapped())
    assert app.asked[0][0] == "payment"


@pytest.mark.parametrize("target", ["nothing", "archive"])
def test_what_is_no_function_is_no_target(serve: Serve, target: str) -> None:
    with pytest.raises(functions_framework.exceptions.MissingTargetException):
        serve(target)


@pytest.mark.parametrize("target", ["inventory", "files", "sweeper"])
def test_without_push_settings_a_function_does_not_start(
    serve: Serve, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERFLOW_PUSH_AUDIENCE")
    with pytest.raises(NotConfigured):
        serve(target)
    serve("api")


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("GOOGLE_CLOUD_PROJECT", None, KeyError),
        ("ORDERFLOW_DROP_BUCKET", None, KeyError),
        ("ORDERFLOW_MAX_BODY", "many", BadSetting),
    ],
)
@pytest.mark.parametrize("target", ["inventory", "api"])
def test_a_function_with_wrong_settings_does_not_start(
    serve: Serve,
    target: str,
    variable: str,
    value: str | None,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(error, match=variable):
        serve(target)


_SDKS = ("grpc", "google.api_core", "google.cloud.firestore_v1", "google.pubsub_v1", "google.cloud.storage")


def started(environment: dict[str, str]) -> dict[str, Any]:
    """What a fresh process tells of itself when it has made the function of inventory."""
    program = (
        f"import functions_framework, gc, json, sys; functions_framework.create_app('inventory', {MAIN!r}); "
        f"sdks = [name for name in {_SDKS} if name in sys.modules]; "
        "print(json.dumps({'sdks': sdks, 'collects': gc.isenabled(), 'frozen': gc.get_freeze_count() > 0}))"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True
    )
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_starting_imports_no_sdk_before_it_is_used() -> None:
    assert started({}) == {"sdks": [], "collects": True, "frozen": False}


def test_on_cloud_run_a_start_imports_what_every_event_takes_and_nothing_else() -> None:
    told = started({"K_SERVICE": "orderflow-inventory", "ORDERFLOW_SERVICE": "inventory"})
    assert told == {"sdks": list(_SDKS[:-1]), "collects": True, "frozen": True}
