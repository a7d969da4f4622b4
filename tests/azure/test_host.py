"""The whole local Azure: Event Grid, Service Bus, Functions. The functions are the real ones, the application behind
them is pretended (``app/function_app.py``)."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage

import orderflow_azure
from orderflow import archive
from orderflow.envelope import Envelope
from orderflow.ports import Ports
from orderflow_azure.sdk import Clients
from orderflow_azure.wiring import bootstrap
from orderflow_local.azure import AzureCloud
from orderflow_local.azure import cloud as local
from orderflow_local.cloud import Setup
from waiting import wait_until

pytestmark = pytest.mark.local_cloud

MakeEnvelope = Callable[..., Envelope]
LOCK_S = 3


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, topology: Mapping[str, Any]) -> Iterator[AzureCloud]:
    app = tmp_path_factory.mktemp("app")
    shutil.copy(Path(__file__).parent / "app" / "function_app.py", app)
    shutil.copy(Path(orderflow_azure.__file__).parent.parent / "host.json", app)
    patch = pytest.MonkeyPatch()
    patch.setattr(local, "LOCK_S", LOCK_S)
    setup = Setup(
        tmp_path_factory.mktemp("azure"), {"ORDERFLOW_SWEEP_EVERY_S": "0.5", "ORDERFLOW_ARCHIVE_EVERY_S": "0.5"}
    )
    cloud = AzureCloud(setup, topology, app)
    cloud.start(lambda line: None)
    yield cloud
    cloud.stop()
    patch.undo()


@pytest.fixture(scope="module")
def ports(cloud: AzureCloud) -> Ports:
    return bootstrap({**os.environ, **cloud.environment()})


class Seen:
    """What the pretended application wrote down."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def __call__(self, key: str) -> list[dict[str, Any]]:
        stored = self._ports.store.get("orders", key)
        return stored.document["state"] if stored else []

    def wait(self, key: str, times: int = 1) -> list[dict[str, Any]]:
        wait_until(lambda: len(self(key)) >= times, f"{key} to be seen {times} times", 60)
        return self(key)


@pytest.fixture
def seen(ports: Ports) -> Seen:
    return Seen(ports)


def at_rest(cloud: AzureCloud) -> None:
    wait_until(
        lambda: all(depth.waiting == depth.in_flight == 0 for depth in cloud.depths().values()), "empty queues", 60
    )


def send(cloud: AzureCloud, *messages: dict[str, Any]) -> None:
    Clients(cloud.environment()).send(
        "orderflow-order",
        [ServiceBusMessage(json.dumps(message), application_properties={"kind": "x"}) for message in messages],
    )


def test_a_published_event_reaches_the_services_that_hear_it_and_is_acknowledged(
    cloud: AzureCloud, ports: Ports, seen: Seen, envelope: MakeEnvelope
) -> None:
    sent = envelope("published", data={"id": "published", "do": ["done"], "text": "\u017d \U0001f40e"})
    assert ports.publisher.publish([sent]) == [None]
    notes = seen.wait("published", 2)
    at_rest(cloud)
    assert {note["service"] for note in notes} == {"order", "analytics"}
    assert len(seen("published")) == 2
    for note in notes:
        assert json.loads(note["body"]) == sent.to_dict()
        assert note["receives"] == 1 and note["transport_id"]
        assert note["attributes"]["aeg-output-event-id"] == sent.id


def test_a_message_given_back_comes_again_as_a_new_message(cloud: AzureCloud, seen: Seen) -> None:
    send(cloud, {"id": "given-back", "do": ["retry", "retry", "done"]})
    first, second, third = seen.wait("given-back", 3)
    at_rest(cloud)
    assert first["body"] == second["body"] == third["body"]
    assert first["attributes"] == second["attributes"] == third["attributes"] == {"kind": "x"}
    assert first["transport_id"] != second["transport_id"] != third["transport_id"]
    assert [note["receives"] for note in (first, second, third)] == [1, 1, 1]


def test_a_function_that_raises_gets_its_messages_again(cloud: AzureCloud, seen: Seen) -> None:
    send(cloud, {"id": "raising", "do": ["raise", "done"]})
    notes = seen.wait("raising", 2)
    at_rest(cloud)
    assert [note["receives"] for note in notes] == [1, 2]
    assert notes[0]["transport_id"] == notes[1]["transport_id"]


def test_what_always_raises_ends_in_the_brokers_dead_letter_queue(cloud: AzureCloud, ports: Ports, seen: Seen) -> None:
    send(cloud, {"id": "hopeless", "do": ["raise"]})
    wait_until(lambda: bool(ports.dead_letters.browse("order")), "the dead letter", 60)
    [letter] = ports.dead_letters.browse("order")
    assert (letter.reason, json.loads(letter.body)["id"]) == ("broker", "hopeless")
    assert len(seen("hopeless")) == 3
    ports.dead_letters.remove(letter)


def test_messages_come_in_batches(cloud: AzureCloud, seen: Seen) -> None:
    send(cloud, *({"id": f"batch-{number}", "do": ["done"]} for number in range(30)))
    notes = [seen.wait(f"batch-{number}")[0] for number in range(30)]
    assert max(note["batch"] for note in notes) > 1
    assert all(note["batch"] <= 10 for note in notes)


def test_a_killed_host_loses_nothing(cloud: AzureCloud, seen: Seen) -> None:
    send(cloud, {"id": "killed", "do": ["hang", "done"]})
    seen.wait("killed")
    [before] = [host.pid for host in cloud.hosts() if host.name == "events"]
    send(cloud, {"id": "meanwhile", "do": ["done"]})
    cloud.kill_host("events")
    notes = seen.wait("killed", 2)
    seen.wait("meanwhile")
    at_rest(cloud)
    assert [note["receives"] for note in notes] == [1, 2]
    [after] = [host.pid for host in cloud.hosts() if host.name == "events"]
    assert after != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, signal.SIG_DFL)


def test_http_requests_reach_the_application(cloud: AzureCloud) -> None:
    answer = httpx.put(
        f"{cloud.api_url}/v1/orders/%C5%BD%2F1?a=1&b=%C5%BD&empty=&status=201",
        content="\u017d".encode(),
        headers={"Idempotency-Key": "k-1", "Content-Type": "text/plain"},
    )
    assert answer.status_code == 201
    assert (answer.headers["x-answer"], answer.headers["content-type"]) == ("42", "application/json")
    seen = answer.json()
    assert seen["method"] == "PUT"
    assert seen["path"] == "/v1/orders/\u017d/1"
    assert seen["query"] == {"a": "1", "b": "\u017d", "empty": "", "status": "201"}
    assert seen["headers"]["idempotency-key"] == "k-1"
    assert seen["body"] == "\u017d"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PATCH"])
def test_every_method_is_served(cloud: AzureCloud, method: str) -> None:
    assert httpx.request(method, f"{cloud.api_url}/").status_code == 200


def test_a_broken_function_answers_500_and_lives_on(cloud: AzureCloud) -> None:
    assert httpx.get(f"{cloud.api_url}/broken").status_code == 500
    assert httpx.get(f"{cloud.api_url}/").status_code == 200


def test_the_timer_runs(seen: Seen) -> None:
    seen.wait("sweep", 2)


def test_a_dropped_file_is_loaded_once_and_again_when_it_changes(ports: Ports, seen: Seen) -> None:
    ports.drop.put("stock/one.jsonl", b"1")
    assert seen.wait("file-stock=one.jsonl")[0]["size"] == 1
    ports.drop.put("stock/two.jsonl", b"twice")
    seen.wait("file-stock=two.jsonl", 2)
    assert len(seen("file-stock=one.jsonl")) == 1
    ports.drop.put("stock/one.jsonl", b"12")
    assert seen.wait("file-stock=one.jsonl", 2)[1]["size"] == 2


def test_a_file_that_tells_of_nothing_is_a_dead_letter(cloud: AzureCloud, ports: Ports) -> None:
    Clients(cloud.environment()).send("orderflow-files", [ServiceBusMessage(b"nonsense")])
    wait_until(lambda: bool(ports.dead_letters.browse("files")), "the dead letter", 60)
    [letter] = ports.dead_letters.browse("files")
    assert (letter.reason, letter.body) == ("malformed", b"nonsense")
    ports.dead_letters.remove(letter)


def test_every_published_event_is_archived_by_the_timer(ports: Ports, envelope: MakeEnvelope) -> None:
    sent = {f"archived-{number}": envelope(f"archived-{number}", "Unheard") for number in range(20)}
    assert set(ports.publisher.publish(list(sent.values()))) == {None}

    def archived() -> dict[str, Envelope]:
        return {one.subject: one for one in archive.read(ports.archive, 0, 4e9) if one.kind == "Unheard"}

    wait_until(lambda: len(archived()) == 20, "all events to be archived", 60)
    assert list(archived().values()) == [sent[subject.removeprefix("order-")] for subject in archived()]


def test_nothing_stays_running(tmp_path: Path, topology: Mapping[str, Any]) -> None:
    cloud = AzureCloud(Setup(tmp_path), topology)
    cloud.start(lambda line: None)
    pids = [host.pid for host in cloud.hosts()] + [process.pid for process in cloud._services]
    assert len(pids) == 4
    cloud.stop()
    cloud.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)
    assert cloud.hosts() == []


def test_a_start_that_fails_leaves_nothing_running(
    tmp_path: Path, topology: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from orderflow_local.processes import StartFailed

    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "host.json").write_text("{}")
    cloud = AzureCloud(Setup(tmp_path), topology, tmp_path / "app")
    started: list[int] = []
    stop = cloud.stop

    def watched() -> None:
        started.extend(process.pid for process in cloud._services)
        stop()

    monkeypatch.setattr(cloud, "stop", watched)
    with pytest.raises(StartFailed):
        cloud.start(lambda line: None)
    assert started
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)


def test_a_connection_string_of_the_local_cloud_is_for_the_emulator(cloud: AzureCloud) -> None:
    with ServiceBusClient.from_connection_string(cloud.environment()["ORDERFLOW_SERVICEBUS"]) as client:
        assert client.fully_qualified_namespace.startswith("127.0.0.1")
