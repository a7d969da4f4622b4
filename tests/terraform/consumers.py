"""How each cloud's plan runs and feeds the services, in the topology's own words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from terraform import filters
from terraform.plan import Plan

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Function:
    """``concurrency``: batches (of a queue), or requests (of the API) in process at a time; None where only the queue's
    trigger says it. Sizes in MB."""

    timeout_s: int
    memory_mb: int
    concurrency: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    """``batch_size`` is None where the cloud hands over one message at a time, ``backoff_s`` (least, most) where it
    leaves the delay to the function."""

    lock_s: int
    deliveries: int
    batch_size: int | None
    batch_window_s: int | None = None
    backoff_s: tuple[float, float] | None = None
    concurrency: int | None = None


MEMORY_SIZES = {"aws": range(128, 10241), "azure": (512, 2048, 4096), "gcp": (128, 256, 512, 1024, 2048, 4096)}
"""In MB: docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html,
learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-memory,
cloud.google.com/functions/docs/configuring/memory"""


def functions(cloud: str, plan: Plan) -> dict[str, Function]:
    """Every function by service."""
    return {"aws": _aws_functions, "azure": _azure_functions, "gcp": _gcp_functions}[cloud](plan)


def queues(cloud: str, plan: Plan) -> dict[str, Queue]:
    """Every queue that feeds a function of the topology's figures, by service."""
    return {"aws": _aws_queues, "azure": _azure_queues, "gcp": _gcp_queues}[cloud](plan)


def subscriptions(cloud: str, plan: Plan) -> dict[str, filters.Filter]:
    """What each service's subscription to the events' topic selects; the archive among them."""
    return {"aws": _aws_subscriptions, "azure": _azure_subscriptions, "gcp": _gcp_subscriptions}[cloud](plan)


def declared_queue(cloud: str, limits: dict[str, Any]) -> Queue:
    """What a service's limits in the topology come to as a queue of a cloud."""
    return Queue(
        lock_s=limits["lock_s"],
        deliveries=limits["broker_max_deliveries"],
        batch_size=None if cloud == "gcp" else limits["batch_size"],  # Pub/Sub pushes one message at a time
        batch_window_s=None if cloud == "gcp" else limits["batch_window_s"],
        backoff_s=(limits["backoff_base_s"], limits["backoff_cap_s"]) if cloud == "gcp" else None,
        concurrency=limits["max_concurrency"] if cloud == "aws" else None,  # elsewhere the function's
    )


def declared_function(cloud: str, service: dict[str, Any]) -> Function:
    """What a service of the topology comes to as a function of a cloud."""
    limits = service["limits"]
    by_queue = cloud == "aws" and service["trigger"] in ("queue", "object")
    return Function(
        timeout_s=limits["timeout_s"],
        memory_mb=min(size for size in MEMORY_SIZES[cloud] if size >= limits["memory_mb"]),
        concurrency=None if by_queue else limits["max_concurrency"],
    )


def _aws_functions(plan: Plan) -> dict[str, Function]:
    return {
        service: Function(
            timeout_s=each["timeout"],
            memory_mb=each["memory_size"],
            concurrency=each["reserved_concurrent_executions"] if each["reserved_concurrent_executions"] > 0 else None,
        )
        for service, each in plan.by_key("aws_lambda_function").items()
    }


def _aws_queues(plan: Plan) -> dict[str, Queue]:
    triggers = plan.by_key("aws_lambda_event_source_mapping")
    return {
        service: Queue(
            lock_s=each["visibility_timeout_seconds"],
            deliveries=json.loads(each["redrive_policy"])["maxReceiveCount"],
            batch_size=triggers[service]["batch_size"],
            batch_window_s=triggers[service]["maximum_batching_window_in_seconds"],
            concurrency=triggers[service]["scaling_config"][0]["maximum_concurrency"],
        )
        for service, each in plan.by_key("aws_sqs_queue", "this").items()
    }


def _aws_subscriptions(plan: Plan) -> dict[str, filters.Filter]:
    subscribed = [each for each in plan.all("aws_sns_topic_subscription") if each.key is not None]
    return {str(each.key): filters.sns(each.values["filter_policy"]) for each in subscribed}


def _azure_functions(plan: Plan) -> dict[str, Function]:
    return {
        service: Function(
            timeout_s=clock_seconds(each["app_settings"]["AzureFunctionsJobHost__functionTimeout"]),
            memory_mb=each["instance_memory_in_mb"],
            concurrency=each["maximum_instance_count"] * (each["http_concurrency"] or 1),
        )
        for service, each in plan.by_key("azurerm_function_app_flex_consumption").items()
    }


def _azure_queues(plan: Plan) -> dict[str, Queue]:
    begin = "AzureFunctionsJobHost__extensions__serviceBus__"
    settings = {
        service: {
            name.removeprefix(begin): value for name, value in app["app_settings"].items() if name.startswith(begin)
        }
        for service, app in plan.by_key("azurerm_function_app_flex_consumption").items()
    }
    return {
        service: Queue(
            lock_s=iso_seconds(each["lock_duration"]),
            deliveries=each["max_delivery_count"],
            batch_size=int(settings[service]["maxMessageBatchSize"]),
            # The host waits only where a batch has a least size.
            batch_window_s=clock_seconds(settings[service].get("maxBatchWaitTime", "00:00:00"))
            if "minMessageBatchSize" in settings[service]
            else 0,
        )
        for service, each in plan.by_key("azurerm_servicebus_queue", "this").items()
    }


def _azure_subscriptions(plan: Plan) -> dict[str, filters.Filter]:
    subscribed = plan.by_key("azurerm_eventgrid_event_subscription")
    return {service: filters.event_grid(each["advanced_filter"]) for service, each in subscribed.items()}


def _gcp_functions(plan: Plan) -> dict[str, Function]:
    configs = {
        service: each["service_config"][0] for service, each in plan.by_key("google_cloudfunctions2_function").items()
    }
    return {
        service: Function(
            timeout_s=each["timeout_seconds"],
            memory_mb=int(each["available_memory"].removesuffix("Mi")),
            concurrency=each["max_instance_count"] * each["max_instance_request_concurrency"],
        )
        for service, each in configs.items()
    }


def gcp_feeds(plan: Plan) -> dict[str, Values]:
    """The push subscriptions on the events' topic, or on a bucket's, by service; not those on redrive topics."""
    feeds = plan.by_key("google_pubsub_subscription", "feed")
    return {key: each for key, each in feeds.items() if not key.endswith("-redrive")}


def _gcp_queues(plan: Plan) -> dict[str, Queue]:
    return {
        service: Queue(
            lock_s=each["ack_deadline_seconds"],
            deliveries=each["dead_letter_policy"][0]["max_delivery_attempts"],
            batch_size=None,
            backoff_s=(
                float(each["retry_policy"][0]["minimum_backoff"].removesuffix("s")),
                float(each["retry_policy"][0]["maximum_backoff"].removesuffix("s")),
            ),
        )
        for service, each in gcp_feeds(plan).items()
    }


def _gcp_subscriptions(plan: Plan) -> dict[str, filters.Filter]:
    [topic] = [each.values["name"] for each in plan.all("google_pubsub_topic", "events")]
    subscribed = gcp_feeds(plan) | plan.by_key("google_pubsub_subscription", "sink")
    return {
        service: filters.pubsub(each["filter"])
        for service, each in subscribed.items()
        if each["topic"].endswith(f"/topics/{topic}")
    }


def clock_seconds(text: str) -> int:
    """The seconds of hh:mm:ss."""
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def iso_seconds(text: str) -> int:
    """The seconds of an ISO 8601 duration of days, hours, minutes and seconds."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    assert match and any(match.groups()), f"{text!r} is no duration"
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
