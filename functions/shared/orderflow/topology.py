"""The declaration: services, subscriptions, filters, limits, documents. Terraform, the local clouds, the contracts
and the diagrams are all made from `build`, written out as ``topology.json``."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from orderflow.envelope import FILTERABLE
from orderflow.events import CORE
from orderflow.service import Limits, Service
from orderflow.services import PACKAGES, SERVICES, catalogue, find

FILTER_BYTES = 256
"""Longest filter that a Pub/Sub subscription takes (cloud.google.com/pubsub/docs/subscription-message-filter)."""

SWEEP_EVERY_SECONDS = 60
ARCHIVE_EVERY_SECONDS = 300
"""Longest time that an event waits before it is written to the archive with the others of its batch."""

_SINK = Limits(timeout_s=240, lock_s=300, batch_size=1, max_concurrency=1, oldest_message_alarm_s=3600)
"""Where a function writes the archive, on Azure, it has as long as a message may be locked, less a margin, and runs
alone; elsewhere these limits mean nothing."""


NAME = re.compile(r"[a-z][a-z0-9]{1,19}")
"""What a service and its collection may be called: what every cloud takes wherever it stands in a name."""


class BadDeclaration(ValueError):
    """A service cannot be as it is declared; the message names it and says what to change."""


def build() -> dict[str, Any]:
    """The whole topology as a JSON object. Raises `BadDeclaration`."""
    from orderflow.api import CUSTOMERS
    from orderflow.archive import PREFIX as ARCHIVE_PREFIX
    from orderflow.attempts import COLLECTION as ATTEMPTS
    from orderflow.breaker import COLLECTION as BREAKERS
    from orderflow.claims import MOST_BYTES as CLAIMED_ABOVE
    from orderflow.claims import PREFIX as CLAIMS_PREFIX
    from orderflow.files import CATALOGUE, RECEIPTS, arrivals
    from orderflow.providers.simulated import COLLECTIONS as SIMULATED
    from orderflow.rates import COLLECTION as RATES

    services = [find(name) for name in SERVICES]
    _check(services)
    shell = [ATTEMPTS, BREAKERS]
    simulated = list(SIMULATED)
    functions: dict[str, Any] = {service.name: _consumer(service, shell, simulated) for service in services}
    functions["api"] = {
        "trigger": "http",
        "emits": ["OrderCancelled", "OrderPlaced"],
        "collections": {"read": [CATALOGUE], "write": [CUSTOMERS, "orders", RATES]},
        "uses": [],
        "limits": asdict(Limits(timeout_s=15, lock_s=90, max_concurrency=50)),
    }
    functions["sweeper"] = {
        "trigger": "schedule",
        "every_s": SWEEP_EVERY_SECONDS,
        "emits": ["OrderCancelled", "OrderPlaced"],
        "collections": {"read": [], "write": ["orders"]},
        "uses": [],
        "limits": asdict(Limits(timeout_s=50, lock_s=300, max_concurrency=1)),
    }
    functions["files"] = {
        "trigger": "object",
        "bucket": "drop",
        "emits": sorted(event.kind() for event in (*RECEIPTS.emits, *arrivals().values())),
        "collections": {"read": [], "write": sorted({RECEIPTS.collection, *RECEIPTS.writes})},
        "uses": [],
        "limits": asdict(RECEIPTS.limits),
    }
    functions["archive"] = {
        "trigger": "sink",
        "bucket": "archive",
        "prefix": ARCHIVE_PREFIX,
        "every_s": ARCHIVE_EVERY_SECONDS,
        "limits": asdict(_SINK),
    }
    return {
        "version": 1,
        "topic": "events",
        "filterable": list(FILTERABLE),
        "services": functions,
        "collections": _collections(
            [*services, RECEIPTS], [BREAKERS, CUSTOMERS, CATALOGUE, "stock", *simulated], [ATTEMPTS, RATES]
        ),
        "buckets": ["archive", "drop"],
        "claims": {"bucket": "archive", "prefix": CLAIMS_PREFIX, "above_bytes": CLAIMED_ABOVE},
        **({"packages": list(PACKAGES)} if PACKAGES else {}),
    }


_OWN_PREFIXES = {"events/", "claims/", "quarantine/"}


def dumps() -> str:
    """The text of ``topology.json``."""
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def pubsub_filter(filters: dict[str, list[str]]) -> str:
    """A subscription's filter in Pub/Sub's language: all attributes must match, each any of its values."""
    clauses = [" OR ".join(f'attributes.{name} = "{value}"' for value in values) for name, values in filters.items()]
    return clauses[0] if len(clauses) == 1 else " AND ".join(f"({clause})" for clause in clauses)


def _consumer(service: Service[Any], shell: list[str], simulated: list[str]) -> dict[str, Any]:
    providers = simulated if service.uses else []
    return {
        "trigger": "queue",
        "hears": sorted(event.kind() for event in service.hears),
        "emits": sorted(event.kind() for event in service.emits),
        "filter": service.subscription_filter(),
        "collections": {
            "read": sorted(service.reads),
            "write": sorted({service.collection, *service.writes, *shell, *providers}),
        },
        "uses": sorted(service.uses),
        "limits": asdict(service.limits),
        **({"ordered": True} if service.ordered else {}),
        **({"fetches": list(service.fetches())} if service.fetches() else {}),
        **({"keeps": sorted(service.keeps)} if service.keeps else {}),
    }


def _check(services: list[Service[Any]]) -> None:
    """What no type can say of a declaration."""
    for name, service in zip(SERVICES, services, strict=True):
        if service.name != name or not NAME.fullmatch(name):
            raise BadDeclaration(
                f"{SERVICES[name]}: SERVICE.name is {service.name!r}; it must be the module's name, "
                "a word of 2 to 20 small letters and digits"
            )
        if not NAME.fullmatch(service.collection):
            raise BadDeclaration(f"{name}: its collection {service.collection!r} must be such a word, too")
        written = pubsub_filter(service.subscription_filter())
        if len(written.encode()) > FILTER_BYTES:
            raise BadDeclaration(
                f"{name}: its filter takes {len(written.encode())} bytes of Pub/Sub's {FILTER_BYTES}: "
                "filter on a category, or make two services"
            )
        if taken := [prefix for prefix in service.keeps if not re.fullmatch(r"[a-z][a-z0-9-]*/", prefix)]:
            raise BadDeclaration(f"{name}: it cannot keep {taken[0]!r}: a prefix is one folder, such as 'media/'")
        if taken := sorted({*service.keeps} & _OWN_PREFIXES):
            raise BadDeclaration(f"{name}: it cannot keep {taken[0]!r}, which the shell writes")
    owners: dict[str, str] = {}
    for service in services:
        if owners.setdefault(service.collection, service.name) != service.name:
            raise BadDeclaration(f"{service.name}: collection {service.collection} is {owners[service.collection]}'s")
    for event in catalogue():
        for service in services:
            attributes = {"kind": event.kind(), "category": event.category}
            # Who hears a category gets events that it may never have heard of: it could not even read them.
            if event not in CORE and event not in service.hears and service.lets_through(attributes):
                raise BadDeclaration(
                    f"{event.kind()}: {service.name} is sent all of category {event.category!r} and does not hear it; "
                    "give the event a category of its own, or let it be heard"
                )


def _collections(services: list[Service[Any]], plain: list[str], expiring: list[str]) -> dict[str, Any]:
    collections = {service.collection: {"indexes": list(service.indexes), "ttl": False} for service in services}
    for name in (*plain, *expiring):
        collections.setdefault(name, {"indexes": [], "ttl": name in expiring})
    return dict(sorted(collections.items()))
