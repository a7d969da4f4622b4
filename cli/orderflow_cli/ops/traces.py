"""The trace of one order as a tree: the request that placed it, and under each event who heard it, what that called,
and what it published. `trace_of` answers data; the command draws it, and so may a web page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from orderflow.envelope import valid_trace
from orderflow_cli.hints import Exit
from orderflow_cli.ops.doors import CannotDo, Doors
from orderflow_cli.ops.orders import documents
from orderflow_local.collector import Span

_WHERE = {
    "aws": "CloudWatch, X-Ray traces",
    "azure": "Application Insights, Transaction search",
    "gcp": "Cloud Trace, Trace explorer",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One span with what happened because of it, in the order in which that began. ``began_ms`` counts from the start
    of the whole trace. ``kind`` is ``server`` (the request), ``consumer`` (a delivery), ``producer`` (a publication),
    ``client`` (a call) or ``internal``. ``missing`` is a span that nobody sent, though others name it as theirs: its
    process was killed before it could."""

    span_id: str
    service: str
    name: str
    kind: str
    began_ms: float
    took_ms: float
    error: bool
    message: str
    attributes: dict[str, Any]
    children: tuple[Node, ...]
    missing: bool = False

    @property
    def outcome(self) -> str:
        """How it ended, in a few words; empty where there is nothing to say."""
        said = self.attributes.get("orderflow.outcome") or self.attributes.get("http.response.status_code") or ""
        return f"{said}: {self.message}" if self.message else str(said or ("failed" if self.error else ""))

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """This node and all below it, each with how deep it stands."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of an order. ``roots`` is one node, unless a span in between was lost; ``took_ms`` is from the first
    start to the last end."""

    order_id: str
    trace_id: str
    took_ms: float
    roots: tuple[Node, ...]

    def walk(self) -> Iterator[tuple[int, Node]]:
        """Every node with how deep it stands, parents first."""
        for root in self.roots:
            yield from root.walk()


def trace_of(doors: Doors, order_id: str) -> Trace:
    """The trace that an order was placed in. Raises `CannotDo` where nothing is known of it, or traces are not on this
    machine."""
    records = documents(doors, order_id)
    found = valid_trace(records["order"].trace) if "order" in records else None
    if found is None:
        raise CannotDo(f"nothing is known of an order {order_id}", "orderflow orders list shows their ids")
    trace_id = found.split("-")[1]
    if doors.spans is None:
        if doors.target == "deployed":
            raise CannotDo(f"its trace is {trace_id}: look in {_WHERE[doors.cloud]}, if telemetry is on there")
        raise CannotDo("traces are not collected", "start the clouds with: orderflow up --traces", Exit.MISSING)
    spans = doors.spans(trace_id)
    if not spans:
        raise CannotDo(f"no span of trace {trace_id} has come yet", "functions send them when they are through")
    began = min(span.began_ns for span in spans)
    ended = max(span.ended_ns for span in spans)
    return Trace(order_id, trace_id, (ended - began) / 1e6, _tree(spans, began))


def _tree(spans: Iterable[Span], zero: int) -> tuple[Node, ...]:
    known = {span.span_id: span for span in sorted(spans, key=lambda span: span.began_ns, reverse=True)}
    children: dict[str, list[Span]] = {}
    for span in known.values():
        children.setdefault(span.parent_id, []).append(span)

    def node(span: Span) -> Node:
        return Node(
            span.span_id,
            span.service,
            span.name,
            span.kind,
            (span.began_ns - zero) / 1e6,
            (span.ended_ns - span.began_ns) / 1e6,
            span.error,
            span.message,
            span.attributes,
            tuple(node(child) for child in in_order(children.get(span.span_id, ()))),
        )

    def lost(span_id: str, orphans: list[Span]) -> Node:
        first = min(orphan.began_ns for orphan in orphans)
        below = tuple(node(orphan) for orphan in in_order(orphans))
        return Node(span_id, "", "(lost)", "internal", (first - zero) / 1e6, 0.0, False, "", {}, below, missing=True)

    def in_order(some: Iterable[Span]) -> list[Span]:
        return sorted(some, key=lambda span: (span.began_ns, span.span_id))

    roots = [node(span) for span in in_order(children.get("", ()))]
    roots += [lost(parent, orphans) for parent, orphans in children.items() if parent and parent not in known]
    return tuple(sorted(roots, key=lambda root: root.began_ms))
