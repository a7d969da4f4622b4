"""Keys, settings, and the topology that everything else is made from."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderflow import topology
from orderflow.app import App
from orderflow.files import RECEIPTS
from orderflow.keys import safe_key
from orderflow.services import SERVICES, catalogue, find
from orderflow.settings import BadSetting, Settings
from unit.support import TOPOLOGY, Lab

ROOT = Path(__file__).parents[2]

# Keys

texts = st.text(max_size=300) | st.text("a=%41\u0301é/\x00", max_size=80) | st.binary(max_size=8).map(repr)


@given(texts, texts)
@example("a" * 201, "a" * 200)
@example("é", "é")
@example("=41", "A")
@settings(max_examples=150)
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    assert (safe_key(one) == safe_key(other)) == (one == other)


@given(texts)
def test_every_key_is_one_that_all_stores_take(text: str) -> None:
    key = safe_key(text)
    assert re.fullmatch(r"[A-Za-z0-9._=-]*", key)
    assert len(key) <= 200


def test_no_text_can_be_made_to_have_the_key_of_a_long_one() -> None:
    """The hash at the end of a long text's key must not read as an escape: else one could write that text."""
    for number in range(200):
        key = safe_key("x" * 300 + str(number))
        unescaped = re.sub(r"=([0-9A-F]{2})", lambda match: bytes.fromhex(match[1]).decode("latin-1"), key)
        assert safe_key(unescaped) != key
        assert hashlib.sha256(("x" * 300 + str(number)).encode()).hexdigest()[:32] in key


# Settings


def test_settings_are_read_from_their_variables() -> None:
    environ = {
        "ORDERFLOW_STOCK_SHARDS": "8",
        "ORDERFLOW_ORDER_DEADLINE": "60.5",
        "ORDERFLOW_HOLD_FOR_SCREENING": "True",
        "ORDERFLOW_ISSUER": "https://issuer.example",
        "ORDERFLOW_PREFIX": "not a setting",
        "PATH": "/bin",
    }
    read = Settings.from_environment(environ)
    assert (read.stock_shards, read.order_deadline, read.hold_for_screening) == (8, 60.5, True)
    assert read.issuer == "https://issuer.example"
    assert read.audience == ""
    assert Settings.from_environment({}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOCK_SHARDS", "four"),
        ("STOCK_SHARDS", "4.5"),
        ("STOCK_SHARDS", ""),
        ("STOCK_SHARDS", "0"),
        ("SWEEP_SHARDS", "-1"),
        ("CONFLICT_TRIES", "0"),
        ("BREAKER_FAILURES", "0"),
        ("ORDER_DEADLINE", "soon"),
        ("ORDER_DEADLINE", "-1"),
        ("BREAKER_COOLDOWN", "nan"),
        ("BREAKER_COOLDOWN", "inf"),
        ("HOLD_FOR_SCREENING", "yes"),
        ("HOLD_FOR_SCREENING", ""),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_value_is_refused_and_its_variable_named(lab: Lab, name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=f"^ORDERFLOW_{name} .*{re.escape(repr(value))}"):
        App(lab.ports, Settings.from_environment({f"ORDERFLOW_{name}": value}))


# Topology

FUNCTIONS: dict[str, Any] = TOPOLOGY["services"]
CONSUMERS = {name: each for name, each in FUNCTIONS.items() if each["trigger"] == "queue"}


def test_topology_json_is_current() -> None:
    assert (ROOT / "topology.json").read_text(encoding="utf-8") == topology.dumps(), "run `make format`"


def test_every_service_is_in_the_topology() -> None:
    assert set(CONSUMERS) == set(SERVICES)
    assert set(FUNCTIONS) - set(CONSUMERS) == {"api", "sweeper", "files", "archive"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_event_that_a_service_hears_passes_its_own_filter(name: str) -> None:
    service = find(name)
    for event in service.hears:
        tiers = ("standard", "elevated", "high") if "tier" in event.model_fields else (None,)
        channels = ("email", "sms", "push") if "channel" in event.model_fields else (None,)
        passed = [
            service.lets_through({k: v for k, v in attributes.items() if v is not None})
            for tier in tiers
            for channel in channels
            for attributes in [{"kind": event.kind(), "category": event.category, "tier": tier, "channel": channel}]
        ]
        assert any(passed), event.kind()


@pytest.mark.parametrize("name", SERVICES)
def test_a_filter_lets_through_no_kind_that_nobody_there_hears_unless_by_category(name: str) -> None:
    service = find(name)
    for event in catalogue():
        passes = service.lets_through({"kind": event.kind(), "category": event.category})
        if passes and event not in service.hears:
            assert "category" in FUNCTIONS[name]["filter"], f"{name} would be called for {event.kind()} in vain"


@pytest.mark.parametrize("name", SERVICES)
def test_a_filter_is_on_attributes_that_travel(name: str) -> None:
    assert set(FUNCTIONS[name]["filter"]) <= set(TOPOLOGY["filterable"])
    assert len(TOPOLOGY["filterable"]) <= 10, "SNS raw delivery drops a message with more attributes"


def test_the_widest_filter_fits_into_a_pubsub_subscription() -> None:
    written = {name: topology.pubsub_filter(each["filter"]) for name, each in CONSUMERS.items() if each["filter"]}
    widest = max(written, key=lambda name: len(written[name]))
    assert len(written[widest].encode()) <= topology.FILTER_BYTES, (widest, written[widest])
    assert len(written) >= 9


def test_a_filter_in_pubsubs_language_says_what_the_topology_says() -> None:
    both = {"kind": ["A", "B"], "tier": ["high"]}
    assert (
        topology.pubsub_filter(both)
        == '(attributes.kind = "A" OR attributes.kind = "B") AND (attributes.tier = "high")'
    )
    assert topology.pubsub_filter({"kind": ["A"]}) == 'attributes.kind = "A"'


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if "limits" in FUNCTIONS[name]])
def test_limits_are_such_as_every_cloud_can_keep(name: str) -> None:
    limits = FUNCTIONS[name]["limits"]
    assert limits["lock_s"] <= 300, "Service Bus locks no longer"
    assert limits["lock_s"] <= 600, "Pub/Sub's longest acknowledgement deadline"
    assert limits["timeout_s"] <= 300
    assert limits["timeout_s"] < limits["lock_s"]
    assert 1 <= limits["batch_size"] <= 10, "SQS hands over ten at most without a batching window"
    assert 128 <= limits["memory_mb"] <= 10_240
    assert 1 <= limits["max_concurrency"] <= 1_000
    assert 5 <= limits["broker_max_deliveries"] <= 100, "Pub/Sub's range"
    assert 2 <= limits["max_attempts"] < limits["broker_max_deliveries"], "the shell gives up first, with a reason"
    assert 0 < limits["backoff_base_s"] <= limits["backoff_cap_s"] <= 600, "Pub/Sub's longest backoff"


@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumers_lock_is_six_times_its_timeout_and_its_window(name: str) -> None:
    limits = FUNCTIONS[name]["limits"]
    least = 6 * limits["timeout_s"] + limits["batch_window_s"]
    assert limits["lock_s"] >= least, "as AWS asks of SQS event sources"
    assert FUNCTIONS["api"]["limits"]["timeout_s"] <= 29, "API Gateway waits no longer"


def test_a_function_may_use_every_collection_that_it_does_use() -> None:
    for name in SERVICES:
        service, declared = find(name), FUNCTIONS[name]["collections"]
        assert {service.collection, *service.writes, "attempts", "breakers"} <= set(declared["write"])
        assert set(service.reads) <= set(declared["read"]) | set(declared["write"])
        assert set(declared["read"] + declared["write"]) <= set(TOPOLOGY["collections"])
    assert TOPOLOGY["collections"]["orders"]["indexes"] == ["customer", "due"]


def test_only_what_carries_no_saga_is_deleted_by_time() -> None:
    assert [name for name, each in TOPOLOGY["collections"].items() if each["ttl"]] == ["attempts", "rates"]


def test_whatever_a_function_touches_it_has_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole saga is run, and what each service really read and wrote is held against the declaration, from which the
    clouds' permissions are made."""
    lab = Lab.make()
    touched: dict[str, set[tuple[str, str]]] = {}
    current = [""]
    lab.store.before = lambda method, collection, _key: touched.setdefault(current[0], set()).add((method, collection))
    deliver = lab.deliver
    monkeypatch.setattr(
        lab,
        "deliver",
        lambda service, *rest, **more: (current.__setitem__(0, service), deliver(service, *rest, **more))[1],
    )
    lab.customer()
    lab.load_file("stock/a.csv", b"sku,quantity\nCUP,100\n")
    for number, (token, quantity) in enumerate([("tok_visa", 2), ("tok_refused", 2), ("tok_lost", 2), ("tok", 999)]):
        lab.place(f"o-{number}", token=token, lines=(("CUP", quantity),), price=2_000)
    lab.run_to_rest()
    assert set(touched) >= set(SERVICES)
    for name in SERVICES:
        declared = FUNCTIONS[name]["collections"]
        for method, collection in touched[name]:
            allowed = declared["write"] if method == "put" else declared["read"] + declared["write"]
            assert collection in allowed, f"{name} {method} {collection}"


# Lineage: AWS stops a function that the same chain of requests has invoked about 16 times

AWS_MOST_INVOCATIONS = 16
"""docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html"""


@cache
def longest_chain(kind: str, said: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The longest chain of (function, kind that it heard) that can follow an event.

    Declarations only say that a service which hears one kind may emit another, so that the order service closes
    circles: OrderPlaced, InventoryReserved, OrderConfirmed, ShipmentCreated, and round again. But the order is an
    arbiter, and every other service has one document for an order: each kind is emitted at most once in an order's
    life, for a second time only under the same id, which nobody handles twice (`NotificationRequested` is emitted
    several times, and leads nowhere). So a chain never has a kind twice, and the longest one is the longest simple
    path. It is an upper bound: it takes every service to answer anything that it hears with anything that it says."""
    chains: list[tuple[tuple[str, str], ...]] = [()]
    for name, function in CONSUMERS.items():
        if kind in function["hears"]:
            here = ((name, kind),)
            chains.append(here)
            for emitted in set(function["emits"]) - said:
                chains.append(here + longest_chain(emitted, said | {emitted}))
    return max(chains, key=len)


def test_no_chain_of_invocations_can_be_so_long_that_aws_would_stop_it() -> None:
    """AWS counts per function; here all invocations of a chain are counted together, the first one included."""
    starts = {kind for name in ("api", "sweeper", "files") for kind in FUNCTIONS[name]["emits"]}
    assert starts == {"OrderPlaced", "OrderCancelled", "StockReplenished"}
    chains = {start: longest_chain(start, frozenset({start})) for start in starts}
    for chain in chains.values():
        assert 1 + len(chain) < AWS_MOST_INVOCATIONS, chain
    assert len(chains["OrderPlaced"]) >= 7, "an order that is cancelled by its carrier and told of by e-mail"


def test_the_longest_chain_that_really_happens_is_far_from_awss_limit(lab: Lab) -> None:
    """Every way in which an order can end, and the chain of causes of every event in it."""
    deepest = 0
    for token, country, quantity, price in [
        ("tok_visa", "DE", 1, 1_000),
        ("tok_visa", "AQ", 1, 60_000),
        ("tok_refused", "DE", 1, 200_000),
        ("tok_visa", "DE", 9, 1_000),
        ("tok_visa", "DE", 1, 2_000_000),
    ]:
        lab = Lab.make()
        lab.customer(address={"street": "1", "city": "X", "postcode": "1", "country": country})
        lab.load_file("stock/a.csv", b"sku,quantity\nCUP,3\n")
        lab.place(lines=(("CUP", quantity),), price=price, token=token)
        lab.run_to_rest()
        causes = {each.id: each.causationid for each in lab.published()}
        for event_id in causes:
            length, cause = 1, causes[event_id]
            while cause is not None:
                length, cause = length + 1, causes[cause]
            deepest = max(deepest, length)
    assert 5 <= deepest <= 8


def test_a_retry_is_no_new_link_of_a_chain(lab: Lab) -> None:
    """A message that is given back goes to its own queue; only a commit publishes to the topic."""
    lab.place(publish=False)
    lab.simulate("gateway", "down")
    from unit.support import enveloped, order_placed

    for _ in range(30):
        lab.deliver("payment", enveloped(order_placed()))
    assert lab.published() == []


def test_the_topology_is_plain_json() -> None:
    assert json.loads(topology.dumps()) == TOPOLOGY
    assert RECEIPTS.name in FUNCTIONS


def test_the_topology_says_of_a_service_that_it_is_ordered_and_says_nothing_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "ordered" not in topology.dumps()
    declared = {name: replace(find(name), ordered=name == "email") for name in SERVICES}
    monkeypatch.setattr(topology, "find", lambda name: declared[name])
    services = topology.build()["services"]
    assert {name for name, service in services.items() if service.get("ordered")} == {"email"}
