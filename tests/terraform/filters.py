"""What a subscription's filter selects, in each cloud's own syntax. Whatever these do not know is an error, never a
guess: who writes a new kind of filter extends them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from orderflow_local.gcp.pubsub_filter import parse

Filter = Callable[[Mapping[str, str]], bool]
"""Says whether a message with these attributes is selected."""


def sns(policy: str | None) -> Filter:
    """An SNS filter policy on message attributes: all keys must match, each with one of its values
    (docs.aws.amazon.com/sns/latest/dg/and-or-logic.html). None selects everything."""
    rules: dict[str, list[Any]] = json.loads(policy) if policy else {}
    for values in rules.values():
        assert all(isinstance(value, str) for value in values), f"only exact strings are read here: {values}"
    return lambda attributes: all(attributes.get(name) in values for name, values in rules.items())


def event_grid(advanced_filter: list[dict[str, Any]]) -> Filter:
    """Event Grid's advanced filters: all must match, each with one of its values, without regard to case
    (learn.microsoft.com/azure/event-grid/event-filtering#stringin). No block selects everything."""
    operators = [(name, each) for block in advanced_filter for name, filters in block.items() for each in filters or []]
    assert all(name == "string_in" for name, _ in operators), f"only string_in is read here: {operators}"
    rules = {each["key"]: {value.lower() for value in each["values"]} for _, each in operators}
    return lambda attributes: all(attributes.get(key, "").lower() in values for key, values in rules.items())


def pubsub(text: str | None) -> Filter:
    """A Pub/Sub filter expression, read by the parser of the local clouds, which has tests of its own."""
    return parse(text or "")
