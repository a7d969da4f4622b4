"""What each concept is on each cloud, and within which limits: the suite's own table, and limits with their sources."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from orderflow_cli.docs.text import table

CLOUDS = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
TABLE = "tests/conformance/capabilities.py"
HOW = {"native": "native", "emulated": "by us", "unsupported": "none"}

HEAD = """# What each concept is on each cloud

{made}

*Native* is the cloud's own feature, *by us* is what orderflow does because the cloud does not, *none* is not to be had.
The [conformance suite](conformance.md) holds every cloud to the same cases on top of this.

![The same order on three clouds: the parts it passes, by their names there](diagrams/clouds.svg)

## Concepts

"""
LIMITS_HEAD = """
## Limits that shaped it

| limit | AWS | Azure | Google Cloud | what orderflow does |
|---|---|---|---|---|
"""
_AWS = "https://docs.aws.amazon.com"
_AZURE = "https://learn.microsoft.com/azure"
_GCP = "https://cloud.google.com"
LIMITS = (
    (
        "a subscription's filter",
        f"[five keys, 150 combinations of values]({_AWS}/sns/latest/dg/subscription-filter-policy-constraints.html)",
        f"[25 filters, 25 values]({_AZURE}/event-grid/event-filtering#limitations)",
        f"[attributes only, 256 bytes, never changed]({_GCP}/pubsub/docs/subscription-message-filter)",
        "filters compare short string attributes; a test measures the widest one",
    ),
    (
        "a message",
        f"[256 KiB]({_AWS}/sns/latest/api/API_Publish.html)",
        f"[256 KB, Standard tier]({_AZURE}/service-bus-messaging/service-bus-quotas)",
        f"[10 MB]({_GCP}/pubsub/quotas)",
        "an event above 64 KiB travels without its data (claim check)",
    ),
    (
        "a document",
        f"[400 KB]({_AWS}/amazondynamodb/latest/developerguide/Constraints.html)",
        "[1 MiB, 64 KiB a property](https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model)",
        "[1 MiB](https://firebase.google.com/docs/firestore/quotas)",
        "a document is at most 256 KiB; on Azure it is spread over properties",
    ),
    (
        "holding a message back",
        f"[12 hours]({_AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)",
        f"[lock of 5 minutes]({_AZURE}/service-bus-messaging/message-transfers-locks-settlement), so a scheduled copy",
        f"[retry policy, 10 s to 600 s]({_GCP}/pubsub/docs/handling-failures)",
        "full-jitter backoff, counted in an attempt document",
    ),
    (
        "deliveries before the broker gives up",
        f"[set by the queue]({_AWS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html)",
        f"[set by the queue]({_AZURE}/service-bus-messaging/service-bus-dead-letter-queues)",
        f"[5 to 100, approximately]({_GCP}/pubsub/docs/handling-failures)",
        "a backstop of 100 everywhere; the shell dead-letters by its own count, with the reason",
    ),
    (
        "a chain of functions",
        f"[16 invocations, then it is stopped]({_AWS}/lambda/latest/dg/invocation-recursion.html)",
        "none known",
        "none known",
        "a test computes the longest chain from the topology",
    ),
)


def page(root: Path, made: str) -> str:
    """The page as Markdown."""
    found = _capabilities(root / TABLE)
    rows = [
        [name, *(_cell(cells[cloud].how, cells[cloud].by) for cloud in CLOUDS)]
        for name, cells in found.CAPABILITIES.items()
        if name != "probe"
    ]
    limits = "".join(f"| {' | '.join(line)} |\n" for line in LIMITS)
    concepts = table(f"concept | {' | '.join(CLOUDS.values())}", rows)
    return HEAD.format(made=made) + concepts + LIMITS_HEAD + limits


def _cell(how: str, by: str) -> str:
    return f"{HOW[how]}: {by}"


def _capabilities(path: Path) -> ModuleType:
    """The suite's table, read as a file: nothing here imports the tests."""
    spec = importlib.util.spec_from_file_location("capabilities", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Where its dataclasses look for their module.
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
