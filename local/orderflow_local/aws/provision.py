"""What Terraform makes in a real account, made from the same topology in a local one: topic, queues, tables,
buckets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orderflow_aws.sdk import Clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeDefinitionTypeDef, GlobalSecondaryIndexTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

Topology = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resources:
    """Names of what was made: queue URLs and ARNs by service, buckets by their role. Sinks have queues here only, for
    the stand-in for Firehose."""

    topic_arn: str
    queue_urls: Mapping[str, str]
    queue_arns: Mapping[str, str]
    buckets: Mapping[str, str]
    sink_urls: Mapping[str, str]
    ordered_topic_arn: str | None = None
    """The FIFO topic; None where no service is ordered."""
    ordered: tuple[str, ...] = ()

    def environment(self, prefix: str) -> dict[str, str]:
        """The variables that `orderflow_aws.wiring` reads."""
        ordering = {
            "ORDERFLOW_ORDERED_TOPIC_ARN": self.ordered_topic_arn or "",
            "ORDERFLOW_ORDERED_SERVICES": ",".join(self.ordered),
        }
        return (ordering if self.ordered else {}) | {
            "ORDERFLOW_PREFIX": prefix,
            "ORDERFLOW_TOPIC_ARN": self.topic_arn,
            "ORDERFLOW_QUEUES_URL": next(iter(self.queue_urls.values())).rpartition("/")[0] + "/",
            "ORDERFLOW_ARCHIVE_BUCKET": self.buckets["archive"],
            "ORDERFLOW_DROP_BUCKET": self.buckets["drop"],
        }


def provision(clients: Clients, topology: Topology, prefix: str, *, visibility_s: int) -> Resources:
    """Make everything in an empty account. ``visibility_s`` is how long a crashed function's messages stay hidden."""
    topic_arn = clients.sns.create_topic(Name=f"{prefix}-events")["TopicArn"]
    ordered = tuple(name for name, service in topology["services"].items() if service.get("ordered"))
    ordered_topic_arn = _ordered_topic(clients, f"{prefix}-events-ordered.fifo") if ordered else None
    urls: dict[str, str] = {}
    arns: dict[str, str] = {}
    sinks: dict[str, str] = {}
    for name, service in topology["services"].items():
        if service["trigger"] in ("queue", "object"):
            limits = service["limits"]
            urls[name], arns[name] = _queue(
                clients, f"{prefix}-{name}", limits["broker_max_deliveries"], visibility_s, ordered=name in ordered
            )
        if service["trigger"] == "queue":
            source = ordered_topic_arn if ordered_topic_arn and name in ordered else topic_arn
            _subscribe(clients, source, arns[name], service["filter"])
        if service["trigger"] == "sink":
            sinks[name], arn = _queue(clients, f"{prefix}-{name}", 100, service["every_s"] + 60, ordered=False)
            _subscribe(clients, topic_arn, arn, {})
    for name, collection in topology["collections"].items():
        _table(clients, f"{prefix}-{name}", collection["indexes"], ttl=collection["ttl"])
    buckets = {name: f"{prefix}-{name}" for name in topology["buckets"]}
    for bucket in buckets.values():
        clients.s3.create_bucket(Bucket=bucket)
    for name, service in topology["services"].items():
        if service["trigger"] == "object":
            _notify(clients, buckets[service["bucket"]], arns[name])
    return Resources(topic_arn, urls, arns, buckets, sinks, ordered_topic_arn, ordered)


def _ordered_topic(clients: Clients, name: str) -> str:
    return clients.sns.create_topic(Name=name, Attributes={"FifoTopic": "true"})["TopicArn"]


def _queue(clients: Clients, name: str, max_deliveries: int, visibility_s: int, *, ordered: bool) -> tuple[str, str]:
    """A queue with its dead-letter queue."""
    suffix = ".fifo" if ordered else ""
    fifo: dict[QueueAttributeNameType, str] = {"FifoQueue": "true"} if ordered else {}
    dead_url = clients.sqs.create_queue(QueueName=f"{name}-dlq{suffix}", Attributes=fifo)["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(clients, dead_url), "maxReceiveCount": max_deliveries}
    url = clients.sqs.create_queue(
        QueueName=f"{name}{suffix}",
        Attributes={"VisibilityTimeout": str(visibility_s), "RedrivePolicy": json.dumps(redrive), **fifo},
    )["QueueUrl"]
    return url, _arn(clients, url)


def _arn(clients: Clients, url: str) -> str:
    return clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _subscribe(clients: Clients, topic_arn: str, queue_arn: str, policy: Mapping[str, list[str]]) -> None:
    """Raw delivery of what the filter lets through; an empty filter hears everything."""
    attributes = {"RawMessageDelivery": "true"} | ({"FilterPolicy": json.dumps(policy)} if policy else {})
    clients.sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes=attributes)


def _table(clients: Clients, name: str, indexes: list[str], *, ttl: bool) -> None:
    columns = ["key", *(f"{index}_{part}" for index in indexes for part in ("partition", "sort"))]
    attributes: list[AttributeDefinitionTypeDef] = [
        {"AttributeName": column, "AttributeType": "S"} for column in columns
    ]
    secondary: list[GlobalSecondaryIndexTypeDef] = [
        {
            "IndexName": index,
            "KeySchema": [
                {"AttributeName": f"{index}_partition", "KeyType": "HASH"},
                {"AttributeName": f"{index}_sort", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for index in indexes
    ]
    more: Any = {"GlobalSecondaryIndexes": secondary} if secondary else {}  # an empty list is refused
    clients.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=attributes,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        **more,
    )
    if ttl:
        clients.dynamodb.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
        )


def _notify(clients: Clients, bucket: str, queue_arn: str) -> None:
    """Tell a queue of every object that arrives in a bucket."""
    clients.s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": queue_arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
