"""`orderflow_cli.ops.queues.QueueDoor` on Google Cloud: Cloud Monitoring counts; Pub/Sub's own API tells no counts.

The metrics ``num_undelivered_messages``, ``num_outstanding_messages`` (push only) and ``oldest_unacked_message_age``
of a subscription are sampled every 60 seconds and visible up to minutes later
(cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub). They are asked over REST (projects.timeSeries.list) with
the session of google-auth, which the other SDKs bring along. The emulator has no metrics: there the relay tells what
it holds, and dead letters are counted by looking at them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import httpx

from orderflow.ports import Unavailable
from orderflow_cli.ops.queues import QueueFigures
from orderflow_gcp.deadletters import PubSubDeadLetters
from orderflow_local.gcp.cloud import RELAY

_WINDOW = timedelta(minutes=10)
_MOST = 1_000
"""Dead letters are counted up to so many where they must be looked at."""


class MonitoredQueues:
    """The subscriptions of one project, as Cloud Monitoring sees them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._project = environ["GOOGLE_CLOUD_PROJECT"]
        self._prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
        self.untold: Mapping[str, str] = {"waiting": "Cloud Monitoring is minutes behind"}

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's two subscriptions (of the topic and of its redrives) and its dead letters."""
        names = [f"{self._prefix}-{service}", f"{self._prefix}-{service}-redrive"]
        undelivered = self._sum("num_undelivered_messages", names)
        outstanding = self._sum("num_outstanding_messages", names)
        waiting = None if undelivered is None else max(0, undelivered - (outstanding or 0))
        ages = [age for name in names if (age := self._last("oldest_unacked_message_age", name)) is not None]
        dead = self._sum("num_undelivered_messages", [f"{self._prefix}-{service}-dlq"])
        return QueueFigures(service, waiting, outstanding, float(max(ages)) if ages else None, dead)

    def _sum(self, metric: str, subscriptions: list[str]) -> int | None:
        found = [value for name in subscriptions if (value := self._last(metric, name)) is not None]
        return sum(found) if found else None

    def _last(self, metric: str, subscription: str) -> int | None:
        """The newest point of a metric, None where there was none within ten minutes."""
        now = datetime.now(UTC)
        query = {
            "filter": f'metric.type = "pubsub.googleapis.com/subscription/{metric}" AND '
            f'resource.labels.subscription_id = "{subscription}"',
            "interval.startTime": (now - _WINDOW).isoformat(),
            "interval.endTime": now.isoformat(),
        }
        url = f"https://monitoring.googleapis.com/v3/projects/{self._project}/timeSeries"
        try:
            answer = self._session.get(url, params=query, timeout=10)
            answer.raise_for_status()
            series: list[dict[str, Any]] = answer.json().get("timeSeries", [])
        except Exception as error:  # requests, google-auth: the caller can only come again
            raise Unavailable(f"Cloud Monitoring: {type(error).__name__}: {str(error)[:200]}") from error
        # Points come newest first.
        return int(series[0]["points"][0]["value"]["int64Value"]) if series else None

    @cached_property
    def _session(self) -> Any:
        import google.auth
        from google.auth.transport.requests import AuthorizedSession

        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/monitoring.read"])
        return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # it has no types


class RelayedQueues:
    """The subscriptions of the local emulator, as the push relay holds them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._depths = f"{environ[RELAY]}/depths"
        self._letters = PubSubDeadLetters(environ["GOOGLE_CLOUD_PROJECT"], environ.get("ORDERFLOW_PREFIX", "orderflow"))
        self.untold: Mapping[str, str] = {
            "oldest_s": "the emulator has no metrics",
            "dead_letters": f"counted by looking, {_MOST} at most",
        }

    def figures(self, service: str) -> QueueFigures:
        """The figures of one service's queue."""
        try:
            waiting, in_flight = httpx.get(self._depths, timeout=10).json()[service]
        except httpx.HTTPError as error:
            raise Unavailable(f"the push relay: {error}") from error
        return QueueFigures(service, waiting, in_flight, None, len(self._letters.browse(service, _MOST)))


def door(environ: Mapping[str, str], *, local: bool) -> MonitoredQueues | RelayedQueues:
    """The queues that an environment names."""
    return RelayedQueues(environ) if local else MonitoredQueues(environ)
