"""A tiny application with the names of `orderflow_aws.entrypoints`, for a test of what is around it.

It notes what it was given in the table ``notes``, and obeys an event's data: ``fail`` says how often which service
gives it back, ``hang`` that its first delivery never ends, ``tear`` that a runtime dies while it answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from typing import Any

from orderflow_aws.sdk import Clients

clients = Clients(os.environ)


def consume(event: dict[str, Any], context: Any) -> dict[str, Any]:
    failed = []
    for record in event["Records"]:
        told = json.loads(record["body"])
        orders = told["data"]
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        _note(
            f"{os.environ['ORDERFLOW_SERVICE']}.{told['id']}.{receives}",
            {
                "attributes": {name: value["stringValue"] for name, value in record["messageAttributes"].items()},
                "pid": os.getpid(),
                "context": type(context).__module__,
            },
        )
        if orders.get("hang") and receives == 1:
            time.sleep(60)  # until it is killed
        if orders.get("tear") and receives == 1:
            _die_answering(context)
        if receives <= orders.get("fail", {}).get(os.environ["ORDERFLOW_SERVICE"], 0):
            failed.append({"itemIdentifier": record["messageId"]})
            _show_again(record)
    return {"batchItemFailures": failed}


def load_files(event: dict[str, Any], context: Any) -> dict[str, Any]:
    for record in event["Records"]:
        for told in json.loads(record["body"]).get("Records", []):
            _note("file", {"key": told["s3"]["object"]["key"]})
    return {"batchItemFailures": []}


def sweep(event: dict[str, Any], context: Any) -> None:
    _note("swept", event)


def api(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return {"statusCode": 201, "headers": {"x-path": event["rawPath"]}, "body": json.dumps(event)}


def _note(key: str, note: dict[str, Any]) -> None:
    clients.dynamodb.put_item(TableName="orderflow-notes", Item={"key": {"S": key}, "note": {"S": json.dumps(note)}})


def _die_answering(context: Any) -> None:
    """Send the headers of an answer, as awslambdaric does, and never its body."""
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
    path = f"/2018-06-01/runtime/invocation/{context.aws_request_id}/response"
    with socket.create_connection((host, int(port))) as runtime_api:
        runtime_api.sendall(f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 30\r\n\r\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def _show_again(record: dict[str, Any]) -> None:
    queue = record["eventSourceARN"].rpartition(":")[2]
    clients.sqs.change_message_visibility(
        QueueUrl=os.environ["ORDERFLOW_QUEUES_URL"] + queue, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
    )
