"""`orderflow_cli.ops.queues.QueueDoor` on AWS: SQS counts, CloudWatch knows the age of the oldest message.

SQS's counts are approximate and lag by up to a minute
(docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html).
ApproximateAgeOfOldestMessage is a metric only, of a minute's grain
(docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html); the local
emulator writes none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from orderflow_aws.queues import Queues
from orderflow_aws.sdk import Clients, unavailable
from orderflow_cli.ops.queues import QueueFigures

_WINDOW = timedelta(minutes=10)


class SqsQueues:
    """The queues below one base URL."""

    def __init__(self, environ: Mapping[str, str], *, local: bool) -> None:
        self._clients = Clients(environ)
        self._environ = environ
        self._local = local
        self._queues = Queues.from_environment(environ)
        self.untold: Mapping[str, str] = (
            {"oldest_s": "it is a CloudWatch metric, and the local emulator writes none"} if local else {}
        )

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's queue."""
        url = self._queues.of(service)
        counts, dead = self._counts(url), self._counts(self._queues.dead_letters_of(service))
        waiting = counts["ApproximateNumberOfMessages"] + counts["ApproximateNumberOfMessagesDelayed"]
        in_flight = counts["ApproximateNumberOfMessagesNotVisible"]
        oldest = None if self._local else self._oldest(url.rpartition("/")[2]) if waiting + in_flight else 0.0
        return QueueFigures(service, waiting, in_flight, oldest, sum(dead.values()))

    def _counts(self, url: str) -> dict[str, int]:
        with unavailable(f"SQS GetQueueAttributes of {url}"):
            attributes = self._clients.sqs.get_queue_attributes(
                QueueUrl=url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )["Attributes"]
        return {str(name): int(count) for name, count in attributes.items()}

    def _oldest(self, queue: str) -> float | None:
        now = datetime.now(UTC)
        with unavailable(f"CloudWatch GetMetricStatistics of {queue}"):
            points: list[dict[str, Any]] = self._metrics.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": queue}],
                StartTime=now - _WINDOW,
                EndTime=now,
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        return float(max(points, key=lambda point: point["Timestamp"])["Maximum"]) if points else None

    @cached_property
    def _metrics(self) -> Any:
        import boto3

        return boto3.client("cloudwatch", region_name=self._environ.get("AWS_REGION"))


def door(environ: Mapping[str, str], *, local: bool) -> SqsQueues:
    """The queues that an environment names."""
    return SqsQueues(environ, local=local)
