"""The local AWS end to end: SNS to SQS to the real awslambdaric to a handler, which holds a tiny application."""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orderflow import archive
from orderflow.envelope import Envelope
from orderflow_aws.deadletters import SqsDeadLetters
from orderflow_aws.objects import S3Objects
from orderflow_aws.publisher import SnsPublisher
from orderflow_aws.queues import Queues
from orderflow_aws.sdk import Clients
from orderflow_local.aws import AwsCloud
from orderflow_local.aws.functions import Code
from orderflow_local.cloud import Depth, Setup

pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(180)]

MakeEnvelope = Callable[..., Envelope]
T = TypeVar("T")


def consumer(filters: dict[str, list[str]], max_deliveries: int = 100) -> dict[str, Any]:
    limits = {"timeout_s": 30, "batch_size": 10, "broker_max_deliveries": max_deliveries}
    return {"trigger": "queue", "filter": filters, "limits": limits}


TOPOLOGY = {
    "services": {
        "payment": consumer({"kind": ["OrderPlaced", "OrderCancelled"], "tier": ["high"]}),
        "shipping": consumer({"kind": ["Hanging"]}),
        "analytics": consumer({}, max_deliveries=2),
        "api": {"trigger": "http", "limits": {"timeout_s": 15}},
        "sweeper": {"trigger": "schedule", "every_s": 3600, "limits": {"timeout_s": 50}},
        "files": {
            "trigger": "object",
            "bucket": "drop",
            "limits": {"timeout_s": 50, "batch_size": 1, "broker_max_deliveries": 100},
        },
        "archive": {"trigger": "sink", "bucket": "archive", "prefix": "events/", "every_s": 300},
    },
    "collections": {"notes": {"indexes": [], "ttl": False}},
    "buckets": ["archive", "drop"],
}


class Cloud:
    """A started `AwsCloud` and what a test looks at."""

    def __init__(self, cloud: AwsCloud) -> None:
        environment = cloud.environment()
        clients = self._clients = Clients(environment)
        self.local = cloud
        self.publisher = SnsPublisher(clients, environment["ORDERFLOW_TOPIC_ARN"])
        self.dead_letters = SqsDeadLetters(clients, Queues.from_environment(environment))
        self.drop = S3Objects(clients, environment["ORDERFLOW_DROP_BUCKET"])
        self.archive = S3Objects(clients, environment["ORDERFLOW_ARCHIVE_BUCKET"])

    def note(self, key: str) -> dict[str, Any] | None:
        """What the tiny application noted under a key."""
        answer = self._clients.dynamodb.get_item(
            TableName="orderflow-notes", Key={"key": {"S": key}}, ConsistentRead=True
        )
        return json.loads(answer["Item"]["note"]["S"]) if "Item" in answer else None

    def noted(self, key: str) -> dict[str, Any]:
        """The note, as soon as it is there."""
        return wait_for(lambda: self.note(key))


def wait_for(look: Callable[[], T | None], seconds: float = 60.0) -> T:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    pytest.fail(f"nothing within {seconds:.0f} s")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    here = Path(__file__).parent
    code = Code("handlers", (here, *Code().folders))
    settings = {"ORDERFLOW_SWEEP_EVERY_S": "0.5", "ORDERFLOW_ARCHIVE_EVERY_S": "1"}
    local = AwsCloud(Setup(tmp_path_factory.mktemp("aws"), settings), TOPOLOGY, code)
    local.start(lambda line: None)
    try:
        yield Cloud(local)
    finally:
        hosts = local.hosts()
        local.stop()
        wait_for(lambda: not any(lives(host.pid) for host in hosts))


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_event_reaches_the_handlers_whose_filter_it_passes(cloud: Cloud, envelope: MakeEnvelope) -> None:
    """The handler runs in the real awslambdaric and is given the event's attributes."""
    events = [envelope(1, "OrderPlaced", tier="high"), envelope(2, "OrderPlaced"), envelope(3, "Other", tier="high")]
    assert cloud.publisher.publish(events) == [None, None, None]
    for number in (1, 2, 3):
        cloud.noted(f"analytics.event-{number}.1")
    note = cloud.noted("payment.event-1.1")
    assert note["attributes"] == {"kind": "OrderPlaced", "category": "order", "tier": "high"}
    assert note["context"].startswith("awslambdaric")
    assert cloud.note("payment.event-2.1") is None
    assert cloud.note("payment.event-3.1") is None


def test_only_the_failed_part_of_a_batch_comes_again(cloud: Cloud, envelope: MakeEnvelope) -> None:
    good = [envelope(number, tier="high") for number in (11, 13)]
    bad = envelope(12, tier="high", data={"fail": {"payment": 2}})
    cloud.publisher.publish([good[0], bad, good[1]])
    cloud.noted("payment.event-12.3")
    wait_for(lambda: cloud.local.depths()["payment"] == Depth(0, 0))
    assert cloud.note("payment.event-11.2") is None
    assert cloud.note("payment.event-13.2") is None
    assert cloud.note("payment.event-12.4") is None


def test_what_fails_too_often_is_dead_lettered_by_the_broker(cloud: Cloud, envelope: MakeEnvelope) -> None:
    poison = envelope(21, data={"fail": {"analytics": 99}})
    cloud.publisher.publish([poison])
    [letter] = wait_for(lambda: cloud.dead_letters.browse("analytics"))
    assert (letter.reason, letter.body) == ("broker", poison.to_bytes())
    assert letter.attributes == poison.attributes()
    cloud.dead_letters.remove(letter)
    assert cloud.dead_letters.browse("analytics") == []


def test_a_killed_runtime_comes_back_and_its_message_too(cloud: Cloud, envelope: MakeEnvelope) -> None:
    cloud.publisher.publish([envelope(31, "Hanging", data={"hang": True})])
    killed = cloud.noted("shipping.event-31.1")["pid"]
    assert killed in {host.pid for host in cloud.local.hosts() if host.name == "shipping"}
    cloud.local.kill_host("shipping")
    assert cloud.noted("shipping.event-31.2")["pid"] != killed
    assert killed not in {host.pid for host in cloud.local.hosts()}


def test_a_runtime_killed_while_it_answers_has_answered_nothing(cloud: Cloud, envelope: MakeEnvelope) -> None:
    cloud.publisher.publish([envelope(41, "Hanging", data={"tear": True})])
    assert cloud.noted("shipping.event-41.2")["pid"] != cloud.noted("shipping.event-41.1")["pid"]


def test_a_dropped_file_reaches_its_handler_also_when_its_runtime_was_killed(cloud: Cloud) -> None:
    def pids() -> set[int]:
        return {host.pid for host in cloud.local.hosts() if host.name == "files"}

    before = wait_for(pids)
    cloud.local.kill_host("files")
    cloud.drop.put("stock/a b+cž.csv", b"sku,quantity\n")
    assert cloud.noted("file")["key"] == "stock/a+b%2Bc%C5%BE.csv"
    assert wait_for(pids).isdisjoint(before)


def test_the_schedule_invokes_the_sweeper(cloud: Cloud) -> None:
    assert cloud.noted("swept")["source"] == "aws.scheduler"


def test_every_event_is_archived_as_firehose_would(cloud: Cloud, envelope: MakeEnvelope) -> None:
    sent = [envelope(number, "Unheard") for number in range(100, 130)]
    cloud.publisher.publish(sent)

    def archived() -> list[Envelope]:
        return [event for event in archive.read(cloud.archive, 0, 4e9) if event.kind == "Unheard"]

    assert wait_for(lambda: sorted(archived(), key=lambda one: one.id) if len(archived()) == 30 else None) == sent
    names = [name for name in cloud.archive.names() if b"Unheard" in cloud.archive.get(name)]
    assert len(names) <= 3
    for name in names:
        assert re.fullmatch(
            r"events/(\d{4})/(\d\d)/(\d\d)/orderflow-archive-1-\1-\2-\3-\d\d-\d\d-\d\d-[0-9a-f-]{36}\.jsonl", name
        )


def test_the_api_answers_at_the_root_of_its_url(cloud: Cloud) -> None:
    request = urllib.request.Request(
        f"{cloud.local.api_url}/orders/1?limit=2&a=%C5%BE",
        data='{"name":"Zoë"}'.encode(),
        headers={"content-type": "application/json", "Authorization": "Bearer token"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        event = json.loads(answer.read())
        assert (answer.status, answer.headers["x-path"]) == (201, "/orders/1")
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["rawQueryString"] == "limit=2&a=%C5%BE"
    assert event["headers"]["authorization"] == "Bearer token"
    assert event["body"] == '{"name":"Zoë"}'
