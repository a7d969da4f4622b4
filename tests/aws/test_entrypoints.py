"""The Lambda handlers, between events as AWS documents them and a fake application."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.stub import Stubber

from orderflow.http import Request, Response
from orderflow.ports import Delivery
from orderflow.processing import Done, Outcome, Retry
from orderflow.sweeper import Swept
from orderflow_aws import entrypoints, wiring
from orderflow_aws.sdk import Clients
from orderflow_local.aws.provision import Resources


@dataclass
class FakeApp:
    """Answers what it was told to, and remembers what it was asked."""

    outcome: Callable[[str], Outcome] = lambda _: Done()
    response: Response = field(default_factory=lambda: Response(200, {}, b""))
    swept: Swept | None = None
    asked: list[Any] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    receives: list[int] = field(default_factory=list)

    def consume(self, service: str, deliveries: Sequence[Delivery], *, deadline: float) -> list[Outcome]:
        self.asked.append((service, list(deliveries)))
        self.deadlines.append(deadline)
        return [self.outcome(delivery.body.decode(errors="replace")) for delivery in deliveries]

    def respond(self, request: Request) -> Response:
        self.asked.append(request)
        return self.response

    def sweep(self, *, deadline: float) -> Swept | None:
        self.deadlines.append(deadline)
        return self.swept

    def load_file(self, name: str, *, receives: int, deadline: float) -> Outcome:
        self.asked.append(name)
        self.receives.append(receives)
        self.deadlines.append(deadline)
        return self.outcome(name)


class FakeContext:
    """Lambda's context object with a quarter of a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        return 15_000


CONTEXT = FakeContext()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, clients: Clients, resources: Resources) -> FakeApp:
    fake = FakeApp()
    monkeypatch.setattr(wiring, "app", lambda: fake)
    monkeypatch.setattr(wiring, "clients", lambda: clients)
    monkeypatch.setenv("ORDERFLOW_SERVICE", "payment")
    for name, value in resources.environment("orderflow").items():
        monkeypatch.setenv(name, value)
    return fake


def record(
    message_id: str, body: str, handle: str = "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a", **more: Any
) -> dict[str, Any]:
    """A record as in docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, of a message that SNS delivered raw."""
    return {
        "messageId": message_id,
        "receiptHandle": handle,
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "3",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {
            "kind": {
                "stringValue": "OrderPlaced",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orderflow-payment",
        "awsRegion": "us-east-1",
        **more,
    }


def received(clients: Clients, resources: Resources, service: str, *bodies: str) -> list[dict[str, Any]]:
    """Messages sent to a queue and received from it, as an event source mapping would hand them over."""
    url = resources.queue_urls[service]
    for body in bodies:
        clients.sqs.send_message(QueueUrl=url, MessageBody=body)
    messages = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    return [record(message["MessageId"], message["Body"], message["ReceiptHandle"]) for message in messages]


def hidden(clients: Clients, resources: Resources, service: str) -> tuple[int, int]:
    """How many messages of a queue are visible, and how many are not."""
    counts = clients.sqs.get_queue_attributes(QueueUrl=resources.queue_urls[service], AttributeNames=["All"])
    attributes = counts["Attributes"]
    return (
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


def test_consume_hands_over_bodies_attributes_and_receives(app: FakeApp) -> None:
    answer = entrypoints.consume({"Records": [record("m-1", '{"name":"Zoë"}')]}, CONTEXT)
    assert answer == {"batchItemFailures": []}
    delivery = Delivery('{"name":"Zoë"}'.encode(), {"kind": "OrderPlaced"}, "m-1", 3)
    assert app.asked == [("payment", [delivery])]


def test_consume_leaves_a_margin_before_lambda_ends_it(app: FakeApp) -> None:
    before = time.time()
    entrypoints.consume({"Records": []}, CONTEXT)
    assert before + 15 - entrypoints.MARGIN_S <= app.deadlines[0] <= time.time() + 15 - entrypoints.MARGIN_S


def test_consume_reports_only_what_is_given_back(app: FakeApp, clients: Clients, resources: Resources) -> None:
    app.outcome = lambda body: Retry(0.2, "busy") if body.startswith("bad") else Done()
    records = received(clients, resources, "payment", "good-1", "bad-1", "good-2", "bad-2")
    answer = entrypoints.consume({"Records": records}, CONTEXT)
    bad = {entry["messageId"] for entry in records if entry["body"].startswith("bad")}
    assert {failure["itemIdentifier"] for failure in answer["batchItemFailures"]} == bad


@pytest.mark.parametrize(("after", "seconds"), [(0.0, 0), (0.1, 1), (59.2, 60), (43_200.0, 43_200), (1e9, 43_200)])
def test_the_delay_is_in_whole_seconds_that_sqs_takes(
    app: FakeApp, clients: Clients, resources: Resources, after: float, seconds: int
) -> None:
    app.outcome = lambda _: Retry(after, "busy")
    with Stubber(clients.sqs) as stub:
        stub.add_response(
            "change_message_visibility_batch",
            {"Successful": [{"Id": "0"}], "Failed": []},
            {
                "QueueUrl": resources.queue_urls["payment"],
                "Entries": [{"Id": "0", "ReceiptHandle": "handle", "VisibilityTimeout": seconds}],
            },
        )
        entrypoints.consume({"Records": [record("m-1", "x", "handle")]}, CONTEXT)
        stub.assert_no_pending_responses()


def test_a_message_given_back_at_once_is_visible_at_once(app: FakeApp, clients: Clients, resources: Resources) -> None:
    app.outcome = lambda body: Retry(0.0 if body == "now" else 100.0, "busy")
    entrypoints.consume({"Records": received(clients, resources, "payment", "now", "later")}, CONTEXT)
    assert hidden(clients, resources, "payment") == (1, 1)


def test_a_large_batch_is_delayed_in_calls_of_ten(app: FakeApp, clients: Clients) -> None:
    app.outcome = lambda _: Retry(5.0, "busy")
    accepted: dict[str, Any] = {"Successful": [], "Failed": []}
    with Stubber(clients.sqs) as stub:
        for _ in range(3):
            stub.add_response("change_message_visibility_batch", accepted)
        answer = entrypoints.consume({"Records": [record(f"m-{n}", "x", f"h-{n}") for n in range(23)]}, CONTEXT)
        stub.assert_no_pending_responses()
    assert len(answer["batchItemFailures"]) == 23


def test_a_delay_that_cannot_be_set_changes_nothing_else(app: FakeApp, clients: Clients) -> None:
    app.outcome = lambda _: Retry(5.0, "busy")
    with Stubber(clients.sqs) as stub:
        stub.add_client_error("change_message_visibility_batch", "ServiceUnavailable", http_status_code=503)
        answer = entrypoints.consume({"Records": [record("m-1", "x")]}, CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}


def http_event(**more: Any) -> dict[str, Any]:
    """A request as in docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/orders",
        "rawQueryString": "limit=2&cursor=a%3Db&name=Zo%C3%AB&empty=",
        "headers": {"authorization": "Bearer token", "content-type": "application/json", "Idempotency-Key": "k-1"},
        "queryStringParameters": {"limit": "2", "cursor": "a=b", "name": "Zoë", "empty": ""},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api-id",
            "domainName": "id.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "id",
            "http": {
                "method": "POST",
                "path": "/orders",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390,
        },
        "body": '{"name":"Zoë"}',
        "isBase64Encoded": False,
        **more,
    }


def test_api_hands_over_the_request(app: FakeApp) -> None:
    entrypoints.api(http_event(), CONTEXT)
    assert app.asked == [
        Request(
            "POST",
            "/orders",
            {"limit": "2", "cursor": "a=b", "name": "Zoë", "empty": ""},
            {"authorization": "Bearer token", "content-type": "application/json", "idempotency-key": "k-1"},
            '{"name":"Zoë"}'.encode(),
        )
    ]


def test_api_decodes_a_body_that_is_no_text(app: FakeApp) -> None:
    entrypoints.api(http_event(body=base64.b64encode(b"\xff\x00").decode(), isBase64Encoded=True), CONTEXT)
    assert app.asked[0].body == b"\xff\x00"


def test_api_takes_a_request_without_body_and_query(app: FakeApp) -> None:
    event = http_event(rawQueryString="")
    del event["body"], event["queryStringParameters"]
    entrypoints.api(event, CONTEXT)
    assert (app.asked[0].body, app.asked[0].query) == (b"", {})


def test_api_answers_text_as_text_and_the_rest_in_base64(app: FakeApp) -> None:
    app.response = Response(202, {"content-type": "application/json", "location": "/orders/1"}, '{"ž":1}'.encode())
    assert entrypoints.api(http_event(), CONTEXT) == {
        "statusCode": 202,
        "headers": {"content-type": "application/json", "location": "/orders/1"},
        "body": '{"ž":1}',
        "isBase64Encoded": False,
    }
    app.response = Response(200, {}, b"\xff")
    assert entrypoints.api(http_event(), CONTEXT)["body"] == "/w=="
    assert entrypoints.api(http_event(), CONTEXT)["isBase64Encoded"] is True


def notification(key: str) -> str:
    """An S3 notification as in docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "us-west-2",
                    "eventTime": "1970-01-01T00:00:00.000Z",
                    "eventName": "ObjectCreated:Put",
                    "s3": {
                        "s3SchemaVersion": "1.0",
                        "configurationId": "testConfigRule",
                        "bucket": {"name": "orderflow-drop", "arn": "arn:aws:s3:::orderflow-drop"},
                        "object": {"key": key, "size": 1024, "eTag": "d41d8cd98f00b204e9800998ecf8427e"},
                    },
                }
            ]
        }
    )


TEST_EVENT = json.dumps(
    {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2014-10-13T15:57:02.089Z",
        "Bucket": "orderflow-drop",
        "RequestId": "5582815E1AEA5ADF",
        "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
    }
)


def test_load_files_decodes_names_and_passes_over_the_test_event(app: FakeApp) -> None:
    bodies = [TEST_EVENT, notification("stock/a+b%2Bc%C5%BE.csv")]
    answer = entrypoints.load_files({"Records": [record(f"m-{n}", body) for n, body in enumerate(bodies)]}, CONTEXT)
    assert (app.asked, app.receives) == (["stock/a b+cž.csv"], [3])
    assert answer == {"batchItemFailures": []}


def test_load_files_gives_back_only_the_file_that_must_come_again(
    app: FakeApp, clients: Clients, resources: Resources
) -> None:
    app.outcome = lambda name: Retry(100.0, "busy") if name == "stock/bad.csv" else Done()
    bodies = [notification("stock/good.csv"), notification("stock/bad.csv"), "no notification at all"]
    records = received(clients, resources, "files", *bodies)
    answer = entrypoints.load_files({"Records": records}, CONTEXT)
    failed = {entry["messageId"] for entry in records if entry["body"] in bodies[1:]}
    assert {failure["itemIdentifier"] for failure in answer["batchItemFailures"]} == failed


def test_a_notification_of_several_files_comes_again_while_one_of_them_must(app: FakeApp) -> None:
    app.outcome = lambda name: Retry(100.0, "busy") if name == "stock/bad.csv" else Done()
    both = [json.loads(notification(name))["Records"][0] for name in ("stock/good.csv", "stock/bad.csv")]
    answer = entrypoints.load_files({"Records": [record("m-1", json.dumps({"Records": both}))]}, CONTEXT)
    assert app.asked == ["stock/good.csv", "stock/bad.csv"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}


def test_sweep_answers_what_it_did(app: FakeApp) -> None:
    app.swept = Swept(looked_at=3, expired=1)
    event = {"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": "{}"}
    assert entrypoints.sweep(event, CONTEXT) == {"looked_at": 3, "expired": 1, "republished": 0, "failed": 0}
    app.swept = None
    assert entrypoints.sweep(event, CONTEXT) == {}


def test_importing_the_handlers_imports_no_sdk() -> None:
    """A cold start pays for what its invocation uses."""
    script = "import sys, orderflow_aws.entrypoints; print({'boto3', 'botocore', 'jwt'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("function", ["fraud", "api"])
def test_where_lambda_runs_it_all_is_made_before_the_first_event(function: str) -> None:
    script = (
        "import gc, orderflow_aws.entrypoints as lambda_; from orderflow_aws import wiring\n"
        "print(wiring.app.cache_info().currsize, sorted({'dynamodb', 'sns', 'sqs'} & set(vars(wiring.clients()))))\n"
        "from orderflow.events import OrderPlaced; print(OrderPlaced.__pydantic_complete__, gc.isenabled())"
    )
    environment = {
        "ORDERFLOW_SERVICE": function,
        "ORDERFLOW_TOPIC_ARN": "t",
        "ORDERFLOW_ARCHIVE_BUCKET": "a",
        "ORDERFLOW_DROP_BUCKET": "d",
        "ORDERFLOW_QUEUES_URL": "https://sqs.eu-west-1.amazonaws.com/1/",
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9",
    }
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )
    assert done.stdout.splitlines() == ["1 ['dynamodb', 'sns']", f"{function == 'fraud'} True"]


def test_every_client_is_made_by_botocore_alone() -> None:
    """boto3 would bring what nobody uses: its import is a fifth of the SDK's part of a cold start."""
    script = (
        "import sys; from orderflow_aws.sdk import Clients; clients = Clients({'AWS_REGION': 'eu-west-1'})\n"
        "print(*[getattr(clients, name).meta.service_model.service_name for name in"
        " ('dynamodb', 'sns', 'sqs', 's3', 'secrets', 'email', 'sms')])\n"
        "print({'boto3', 's3transfer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["dynamodb sns sqs s3 secretsmanager sesv2 sns", "set()"]
