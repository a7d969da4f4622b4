"""`trace_of`: spans as they arrive, in any order and with some missing, as a tree."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from orderflow_cli.ops.doors import CannotDo
from orderflow_cli.ops.traces import trace_of
from orderflow_local.collector import Span
from telemetry.world import Observed


def span(span_id: str, parent_id: str, began_ms: float, **more: Any) -> Span:
    """A span that took ten milliseconds."""
    began = int((1_000_000 + began_ms) * 1_000_000)
    made = Span("t", span_id, parent_id, "api", span_id, "client", began, began + 10_000_000, False, "", {}, [])
    return replace(made, **more)


def doors(observed: Observed, spans: list[Span] | None, target: str = "local") -> Any:
    """As much of a cloud's doors as a trace needs."""
    asked = None if spans is None else lambda _trace: spans
    return SimpleNamespace(cloud="gcp", target=target, ports=observed.ports, spans=asked)


def shape(nodes: Any) -> Any:
    """The ids of a tree."""
    return {node.span_id: shape(node.children) for node in nodes}


def test_children_stand_under_their_parents_in_the_order_in_which_they_began(observed: Observed) -> None:
    order_id = observed.place()
    spans = [span("c", "a", 30), span("a", "", 0), span("b", "a", 20), span("d", "c", 35), span("b", "a", 20)]

    found = trace_of(doors(observed, spans), order_id)

    assert shape(found.roots) == {"a": {"b": {}, "c": {"d": {}}}}
    assert [(depth, node.span_id, node.began_ms) for depth, node in found.walk()] == [
        (0, "a", 0.0),
        (1, "b", 20.0),
        (1, "c", 30.0),
        (2, "d", 35.0),
    ]
    assert found.took_ms == 45.0


def test_a_span_that_was_lost_with_its_process_has_a_place(observed: Observed) -> None:
    order_id = observed.place()

    found = trace_of(doors(observed, [span("a", "", 0), span("c", "b", 30), span("d", "b", 20)]), order_id)

    assert shape(found.roots) == {"a": {}, "b": {"d": {}, "c": {}}}
    assert [node.span_id for _, node in found.walk() if node.missing] == ["b"]


@pytest.mark.parametrize(
    ("spans", "target", "said"),
    [
        (None, "local", "traces are not collected"),
        (None, "deployed", "Cloud Trace"),
        ([], "local", "no span of trace"),
    ],
)
def test_what_cannot_be_shown_is_said(observed: Observed, spans: Any, target: str, said: str) -> None:
    with pytest.raises(CannotDo, match=said):
        trace_of(doors(observed, spans, target), observed.place())


def test_nobody_has_a_trace_of_an_order_that_there_is_not(observed: Observed) -> None:
    with pytest.raises(CannotDo, match="nothing is known of an order o-9"):
        trace_of(doors(observed, []), "o-9")
