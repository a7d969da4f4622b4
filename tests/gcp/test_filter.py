"""The filter language of Pub/Sub subscriptions, as the stand-ins read it."""

from __future__ import annotations

import pytest

from orderflow import topology
from orderflow_local.gcp.pubsub_filter import BadFilter, parse

PLACED = {"kind": "OrderPlaced", "category": "order", "tier": "high"}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True),
        ('attributes.kind = "OrderPlaced"', True),
        ('attributes.kind="OrderPlaced"', True),
        ('attributes.kind = "OrderCancelled"', False),
        ('attributes.kind != "OrderCancelled"', True),
        ('attributes.channel != "sms"', True),
        ("attributes:tier", True),
        ("attributes:channel", False),
        ("NOT attributes:channel", True),
        ("-attributes:tier", False),
        ('hasPrefix(attributes.kind, "Order")', True),
        ('hasPrefix(attributes.channel, "")', False),
        ('attributes.kind = "A" OR attributes.kind = "B" OR attributes.kind = "OrderPlaced"', True),
        ('attributes.kind = "OrderPlaced" AND attributes.tier = "low"', False),
        ('(attributes.kind = "A" OR attributes.kind = "OrderPlaced") AND (attributes.tier = "high")', True),
        ('attributes."kind" = "Order\\Placed"', True),
    ],
)
def test_a_filter_passes_what_it_says(text: str, passes: bool) -> None:
    assert parse(text)(PLACED) is passes


@pytest.mark.parametrize(
    "text",
    [
        "attributes.kind",
        'attributes.kind = OrderPlaced"',
        "attributes.kind = OrderPlaced",
        'kind = "OrderPlaced"',
        'attributes.kind = "A" AND attributes.kind = "B" OR attributes.kind = "C"',
        '(attributes.kind = "A"',
        'attributes.kind = "A" attributes:b',
        'attributes.kind < "A"',
        'attributes.kind = "%s"' % ("x" * 250),
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        parse(text)


def test_every_filter_of_the_topology_is_one() -> None:
    filters = {name: each["filter"] for name, each in topology.build()["services"].items() if each.get("filter")}
    assert filters
    for wanted in filters.values():
        passes = parse(topology.pubsub_filter(wanted))
        assert passes({name: values[0] for name, values in wanted.items()})
        assert not passes({})
