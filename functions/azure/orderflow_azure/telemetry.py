"""Where traces and metrics of Azure go when ``cloud`` is asked for: to Application Insights, by Microsoft's exporter
(learn.microsoft.com/python/api/overview/azure/monitor-opentelemetry-exporter-readme). The resource is the one that the
function host writes to as well: ``APPLICATIONINSIGHTS_CONNECTION_STRING``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from orderflow.metrics import Meter

_OWN_AFFAIRS = (
    "CONTROLPLANE_DISABLED",
    "OPENTELEMETRY_RESOURCE_METRIC_DISABLED",  # it asks for a tracer provider of the whole process, which there is not
    "SDKSTATS_DISABLED",
    "STATSBEAT_DISABLED_ALL",
)
"""What the exporter would do beside: ask for settings, send figures about itself."""


def resource(_environ: Mapping[str, str]) -> dict[str, str]:
    """What every span and metric says of where it is from."""
    return {"cloud.provider": "azure"}


def span_exporter(environ: Mapping[str, str]) -> SpanExporter:
    """Spans to Application Insights."""
    options = _options(environ)
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter

    return AzureMonitorTraceExporter(**options)


def meter(environ: Mapping[str, str]) -> Meter:
    """Metrics to Application Insights."""
    from orderflow.meters import OtelMeter

    options = _options(environ)
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter

    return OtelMeter(AzureMonitorMetricExporter(**options), resource(environ))


def _options(environ: Mapping[str, str]) -> dict[str, Any]:
    """Nothing is written to disk."""
    for feature in _OWN_AFFAIRS:
        os.environ.setdefault(f"APPLICATIONINSIGHTS_{feature}", "true")
    options: dict[str, Any] = {
        "connection_string": environ["APPLICATIONINSIGHTS_CONNECTION_STRING"],
        "disable_offline_storage": True,
    }
    if "Authorization=AAD" in environ.get("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", ""):
        from azure.identity import DefaultAzureCredential

        options["credential"] = DefaultAzureCredential()
    return options
