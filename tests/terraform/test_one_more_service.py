"""A service more in the declaration, and nothing else changed: each cloud's plan has all of it. Its figures are like no
other service's, so that none can come from elsewhere than the declaration."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from terraform import consumers, permissions
from terraform.plan import Plan
from terraform.stacks import REPOSITORY, Stacks
from terraform.test_topology import SAMPLES

NEW, LIKE = "loyalty", "fraud"
NEW_COLLECTION, LIKE_COLLECTION = "points", "screenings"
FILTER = {"kind": ["OrderConfirmed", "ShipmentCreated"], "tier": ["elevated", "high"]}
LIMITS = {
    "timeout_s": 40,
    "lock_s": 250,
    "batch_size": 7,
    "batch_window_s": 3,
    "max_concurrency": 6,
    "memory_mb": 1024,
    "max_attempts": 4,
    "broker_max_deliveries": 42,
    "backoff_base_s": 2,
    "backoff_cap_s": 70,
    "oldest_message_alarm_s": 420,
}

FETCHED, KEPT = "photos/", "thumbnails/"
"""Below which it reads dropped files, and writes objects into the archive bucket; its like does neither."""
OBJECTS = {
    "aws": {(FETCHED, "s3:GetObject"), (KEPT, "s3:PutObject"), ("drop", "s3:ListBucket")},
    "azure": {(FETCHED, "Storage Blob Data Reader"), (KEPT, "Storage Blob Data Contributor")},
    "gcp": {(FETCHED, "roles/storage.objectViewer"), (KEPT, "roles/storage.objectUser")},
}
"""What it may do with them. S3 says that an object is missing only to who may list (`identity.tf`)."""
ALARMS = {
    "aws": "aws_cloudwatch_metric_alarm",
    "azure": "azurerm_monitor_metric_alert",
    "gcp": "google_monitoring_alert_policy",
}
DASHBOARDS = {
    "aws": ("aws_cloudwatch_dashboard", "dashboard_body"),
    "azure": ("azurerm_application_insights_workbook", "data_json"),
    "gcp": ("google_monitoring_dashboard", "dashboard_json"),
}


def with_one_more(topology: dict[str, Any]) -> dict[str, Any]:
    """The declaration with a service that is fed, publishes and keeps documents as another one does."""
    declared = copy.deepcopy(topology)
    service = copy.deepcopy(declared["services"][LIKE])
    service |= {"hears": FILTER["kind"], "filter": FILTER, "limits": LIMITS, "fetches": [FETCHED], "keeps": [KEPT]}
    writes = service["collections"]["write"]
    service["collections"]["write"] = [NEW_COLLECTION if name == LIKE_COLLECTION else name for name in writes]
    declared["services"][NEW] = service
    declared["collections"][NEW_COLLECTION] = declared["collections"][LIKE_COLLECTION]
    return declared


@pytest.fixture
def extended(cloud: str, stacks: Stacks, topology: dict[str, Any]) -> Plan:
    """The cloud's plan with the new service."""
    return stacks.plan(cloud, with_one_more(topology))


def test_the_new_service_gets_all_that_its_like_has_and_nobody_loses_anything(plan: Plan, extended: Plan) -> None:
    before = {each.address for each in plan.resources}
    after = {each.address for each in extended.resources}

    of_its_like = {address for address in before if LIKE in address or LIKE_COLLECTION in address}
    assert of_its_like
    more = {address for address in after - before if re.search(r"/(fetch|keep)-|-(fetches|keeps)-", address)}
    assert after - before - more == {_renamed(address) for address in of_its_like}
    assert before <= after


def test_its_queue_and_function_have_its_figures(cloud: str, extended: Plan) -> None:
    service = {"trigger": "queue", "limits": LIMITS}

    assert consumers.queues(cloud, extended)[NEW] == consumers.declared_queue(cloud, LIMITS)
    assert consumers.functions(cloud, extended)[NEW] == consumers.declared_function(cloud, service)


def test_its_subscription_selects_what_its_filter_says(cloud: str, extended: Plan) -> None:
    selects = consumers.subscriptions(cloud, extended)[NEW]

    wanted = [sample for sample in SAMPLES if all(sample.get(name) in values for name, values in FILTER.items())]
    assert wanted
    assert [sample for sample in SAMPLES if selects(sample)] == wanted


def test_it_may_do_what_its_like_may_do_with_its_own_things_and_nobody_may_do_more(
    cloud: str, plan: Plan, extended: Plan
) -> None:
    before, after = (set(permissions.grants(cloud, each)) for each in (plan, extended))

    of_its_like = {grant for grant in before if LIKE in grant.who or LIKE in grant.where}
    new = {(grant.who, grant.where, grant.when, grant.what) for grant in after - before if not _about_objects(grant)}
    assert {_own_name(*entry) for entry in new} == {
        _own_name(_renamed(grant.who), _renamed(grant.where), _renamed(grant.when), grant.what) for grant in of_its_like
    }
    assert before <= after


def test_it_may_read_dropped_files_and_write_objects_below_its_prefixes_only(
    cloud: str, plan: Plan, extended: Plan
) -> None:
    before, after = (set(permissions.grants(cloud, each)) for each in (plan, extended))

    about = {(_about_objects(grant), grant.what) for grant in after - before if _about_objects(grant)}
    assert about == OBJECTS[cloud]
    assert all(NEW in grant.who for grant in after - before if _about_objects(grant))


def test_its_alarms_are_those_of_its_like_with_its_own_threshold(cloud: str, plan: Plan, extended: Plan) -> None:
    mine, of_its_like = _alarms(cloud, extended, NEW), _alarms(cloud, plan, LIKE)

    assert mine.keys() == of_its_like.keys()
    [oldest] = [values for name, values in mine.items() if "oldest" in name]
    assert re.search(rf"\b{LIMITS['oldest_message_alarm_s']}\b", json.dumps(oldest))


def test_it_has_its_place_on_the_dashboard(cloud: str, extended: Plan) -> None:
    kind, attribute = DASHBOARDS[cloud]
    shown: str = extended.one(kind)[attribute]

    assert shown.count(NEW) == shown.count(LIKE) > 0


COMMON_WORDS = {"api", "archive", "email", "files", "notification", "order", "push"}
"""Services' names that are also words of a provider (`protocol = "email"`, Pub/Sub's push, an index's `order`) or ours
for a part that every deployment has (the module `api`): these may stand in HCL, but may not choose a service."""


def test_no_configuration_names_a_service(topology: dict[str, Any]) -> None:
    sources = [path for path in (REPOSITORY / "terraform").rglob("*.tf") if ".terraform" not in path.parts]
    assert len(sources) > 100
    named = [
        f"{path.relative_to(REPOSITORY)}: {match.group(0)}"
        for path in sources
        for name in topology["services"]
        for match in re.finditer(_pattern(name), re.sub(r"#.*", "", path.read_text()))
    ]

    assert named == []


def test_that_test_would_find_a_name() -> None:
    assert re.search(_pattern("payment"), "timeout = local.limits.payment.timeout_s")
    assert re.search(_pattern("order"), 'name == "order" ? 2 : 1')
    assert re.search(_pattern("order"), 'local.services["order"]')
    assert re.search(_pattern("order"), "local.services.order.limits")
    assert not re.search(_pattern("order"), 'order = "ASCENDING"')


def _pattern(name: str) -> str:
    if name in COMMON_WORDS:
        chosen = rf'[\[=(,]\s*"{name}"\s*[\]?,)]|[=!]=\s*"{name}"'
        return rf'{chosen}|(?<!module\.)\b(services|functions|queues|limits|names|arns|ids)\.{name}\b|\["{name}["/-]'
    return rf"\b{name}\b"


def _renamed(text: str) -> str:
    return text.replace(LIKE, NEW).replace(LIKE_COLLECTION, NEW_COLLECTION)


def _about_objects(grant: permissions.Grant) -> str:
    """The prefix that a grant is limited to, or the bucket of dropped files as a whole; empty for any other grant."""
    for prefix, bucket in ((FETCHED, "drop"), (KEPT, "archive")):
        if bucket in grant.where + grant.when and f"/{prefix}" in f"{grant.where}{grant.when}".replace("'", "/"):
            return prefix
    return "drop" if "-drop-" in grant.where or "containers/drop" in grant.where else ""


def _own_name(*entry: str) -> tuple[str, ...]:
    """Without the hash that ends a storage account's name, which is its service's."""
    return tuple(re.sub(r"(storageAccounts/orderflowdev)[0-9a-f]{8}$", r"\1", text) for text in entry)


def _alarms(cloud: str, plan: Plan, service: str) -> dict[str, dict[str, Any]]:
    alarms = [each for each in plan.all(ALARMS[cloud]) if (each.key or "").startswith(service)]
    assert alarms
    return {each.address.replace(service, ""): each.values for each in alarms}
