"""The three plans against ``topology.json``: the same services, filters and figures on each cloud."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from orderflow.envelope import Envelope
from orderflow.events import Channel, Tier
from orderflow.service import Service
from orderflow.services import SERVICES, catalogue, find
from terraform import consumers, filters
from terraform.plan import Plan

Topology = dict[str, Any]


def every_attribute_set() -> list[dict[str, str]]:
    """The attributes of one envelope for each kind, tier and channel, those that no event has together among them."""
    tiers, channels = (None, *get_args(Tier)), (None, *get_args(Channel))
    return [
        Envelope(
            id="e-1",
            source="/orderflow/test",
            type=event.type_name(),
            subject="o-1",
            time="2026-01-01T00:00:00Z",
            correlationid="o-1",
            kind=event.kind(),
            category=event.category,
            tier=tier,
            channel=channel,
            data={},
        ).attributes()
        for event, tier, channel in product(catalogue(), tiers, channels)
    ]


SAMPLES = every_attribute_set()


def test_every_consumer_of_the_topology_subscribes_and_nobody_else(cloud: str, plan: Plan, topology: Topology) -> None:
    hearing = {name for name, each in topology["services"].items() if each["trigger"] in ("queue", "sink")}

    assert set(consumers.subscriptions(cloud, plan)) == hearing


@pytest.mark.parametrize("service", SERVICES)
def test_a_subscription_selects_what_the_service_lets_through(cloud: str, plan: Plan, service: str) -> None:
    selects = consumers.subscriptions(cloud, plan)[service]
    declared: Service[Any] = find(service)

    selected = [attributes for attributes in SAMPLES if selects(attributes)]

    assert selected == [attributes for attributes in SAMPLES if declared.lets_through(attributes)]
    assert selected, "a service that hears nothing"


def test_the_archive_hears_everything(cloud: str, plan: Plan, topology: Topology) -> None:
    selects = consumers.subscriptions(cloud, plan)
    [archive] = [name for name, each in topology["services"].items() if each["trigger"] == "sink"]

    assert all(selects[archive](attributes) for attributes in [*SAMPLES, {"kind": "NeverHeardOf"}])


def test_what_is_fed_by_messages_and_nothing_else_has_a_queue_with_its_figures(
    cloud: str, plan: Plan, topology: Topology
) -> None:
    fed = (
        {"queue", "object", "sink"} if cloud == "azure" else {"queue", "object"}
    )  # elsewhere the cloud writes the archive

    assert consumers.queues(cloud, plan) == {
        name: consumers.declared_queue(cloud, each["limits"])
        for name, each in topology["services"].items()
        if each["trigger"] in fed
    }


def test_what_is_run_and_nothing_else_has_a_function_with_its_figures(
    cloud: str, plan: Plan, topology: Topology
) -> None:
    assert consumers.functions(cloud, plan) == {
        name: consumers.declared_function(cloud, each)
        for name, each in topology["services"].items()
        if each["trigger"] != "sink" or cloud == "azure"
    }


@pytest.mark.parametrize(
    ("evaluate", "written"),
    [
        (filters.sns, '{"kind": ["OrderPlaced"], "tier": ["high"]}'),
        (
            filters.event_grid,
            [{"string_in": [{"key": "kind", "values": ["OrderPlaced"]}, {"key": "tier", "values": ["high"]}]}],
        ),
        (filters.pubsub, 'attributes.kind = "OrderPlaced" AND attributes.tier = "high"'),
    ],
)
def test_the_evaluators_themselves_tell_selected_from_not(evaluate: Any, written: Any) -> None:
    selects = evaluate(written)

    assert selects({"kind": "OrderPlaced", "tier": "high", "channel": "sms"})
    assert not selects({"kind": "OrderPlaced", "tier": "standard"})
    assert not selects({"kind": "OrderPlaced"})
    assert not selects({"kind": "OrderConfirmed", "tier": "high"})
