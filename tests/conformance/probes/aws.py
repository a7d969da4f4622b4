"""Probes on AWS: an SQS queue with a raw subscription of its own to the topic."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from conformance.probes import LEASE_S, Received
from orderflow_aws.publisher import SnsPublisher
from orderflow_aws.sdk import Clients

if TYPE_CHECKING:
    from conformance.world import World


class SqsProbe:
    """`conformance.probes.Probe` on SQS."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def receive(self, most: int = 10) -> list[Received]:
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=min(most, 10),
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )
        return [
            Received(
                body=message["Body"].encode(),
                attributes={name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()},
                receives=int(message["Attributes"]["ApproximateReceiveCount"]),
                handle=message["ReceiptHandle"],
            )
            for message in answer.get("Messages", [])
        ]

    def acknowledge(self, message: Received) -> None:
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message.handle)

    def give_back(self, message: Received) -> None:
        self._sqs.change_message_visibility(QueueUrl=self._url, ReceiptHandle=message.handle, VisibilityTimeout=0)


class SnsBroker:
    """`conformance.probes.Broker` on SNS."""

    def __init__(self, clients: Clients, topic_arn: str, stack: ExitStack) -> None:
        self._clients = clients
        self._topic_arn = topic_arn
        self._stack = stack

    def probe(self, filters: dict[str, list[str]]) -> SqsProbe:
        return self._probe(filters, self._topic_arn, f"probe-{uuid.uuid4().hex[:12]}", {})

    def ordered(self, filters: dict[str, list[str]]) -> tuple[SqsProbe, SnsPublisher]:
        """As Terraform does it where a service is ordered: a second topic, to which only its queue is subscribed."""
        sns, name = self._clients.sns, f"probe-{uuid.uuid4().hex[:12]}.fifo"
        topic_arn = sns.create_topic(
            Name=name, Attributes={"FifoTopic": "true", "FifoThroughputScope": "MessageGroup"}
        )["TopicArn"]
        self._stack.callback(sns.delete_topic, TopicArn=topic_arn)
        fifo = {"FifoQueue": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}
        probe = self._probe(filters, topic_arn, name, fifo)
        return probe, SnsPublisher(self._clients, self._topic_arn, topic_arn)

    def _probe(self, filters: dict[str, list[str]], topic_arn: str, name: str, more: dict[str, str]) -> SqsProbe:
        sqs, sns = self._clients.sqs, self._clients.sns
        settings: Any = {"VisibilityTimeout": str(LEASE_S), **more}
        url = sqs.create_queue(QueueName=name, Attributes=settings)["QueueUrl"]
        self._stack.callback(sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(_policy(arn, topic_arn))})
        attributes = {"RawMessageDelivery": "true", **({"FilterPolicy": json.dumps(filters)} if filters else {})}
        subscription = sns.subscribe(
            TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=attributes, ReturnSubscriptionArn=True
        )["SubscriptionArn"]
        self._stack.callback(sns.unsubscribe, SubscriptionArn=subscription)
        return SqsProbe(sqs, url)


def open_broker(world: World, stack: ExitStack) -> SnsBroker:
    """The topic of a running AWS."""
    return SnsBroker(Clients(world.environ), world.environ["ORDERFLOW_TOPIC_ARN"], stack)


def _policy(queue: str, topic: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
