"""What an order's trace looks like: one tree, made without anybody asking anybody for an id."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from orderflow.envelope import rfc3339
from orderflow.ports import Delivery
from orderflow.processing import Done, Retry
from orderflow.settings import Settings
from telemetry.world import Observed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ACTED = {"api", "order", "inventory", "payment", "shipping", "notification", "email", "push", "analytics"}


def trace_id(span: ReadableSpan) -> str:
    """A span's trace in hexadecimal."""
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def service(span: ReadableSpan) -> str:
    """The service that a span is of."""
    return str(span.resource.attributes["service.name"])


def orphans(spans: list[ReadableSpan]) -> list[str]:
    """The spans whose parent nobody has sent, roots among them."""
    known = {span.context.span_id for span in spans if span.context}
    return [span.name for span in spans if span.parent is None or span.parent.span_id not in known]


def of_trace(world: Observed, trace: str) -> list[ReadableSpan]:
    """The spans of one trace."""
    return [span for span in world.exporter.spans if trace_id(span) == trace]


def of_order(world: Observed) -> list[ReadableSpan]:
    """The spans of the trace in which the only order was placed."""
    [root] = [span for span in world.exporter.spans if span.name == "POST /orders" and not span.parent]
    return of_trace(world, trace_id(root))


def test_the_trace_of_an_order_is_one_tree_under_the_request_that_placed_it(observed: Observed) -> None:
    observed.place()
    observed.settle()

    spans = of_order(observed)
    assert orphans(spans) == ["POST /orders"]
    assert {service(span) for span in spans} == ACTED
    ids = Counter(span.context.span_id for span in spans if span.context)
    assert set(ids.values()) == {1}, "no two spans have one id"


def test_an_event_is_published_under_what_caused_it_and_heard_under_its_publication(observed: Observed) -> None:
    observed.place()
    observed.settle()

    by_id = {span.context.span_id: span for span in of_order(observed) if span.context}
    published = [span for span in by_id.values() if span.name.startswith("publish ")]
    assert len(published) >= 8
    for span in published:
        assert span.attributes is not None and span.parent is not None
        parent = by_id[span.parent.span_id]
        assert parent.attributes is not None
        cause = span.attributes.get("orderflow.causation_id")
        assert cause == parent.attributes.get("messaging.message.id"), f"{span.name} under {parent.name}"
    for span in by_id.values():
        if span.name.startswith("process "):
            assert span.parent is not None
            assert by_id[span.parent.span_id].name == f"publish {span.name.removeprefix('process ')}"


def test_each_delivery_is_a_span_and_only_the_first_has_an_effect(observed: Observed) -> None:
    observed.place()
    observed.settle()

    heard = observed.spans(orderflow_event="OrderPlaced", messaging_destination_name="payment")
    assert [span.attributes and span.attributes["orderflow.outcome"] for span in heard] == ["handled", "duplicate"]
    first, second = ([child.name for child in _children(observed, span)] for span in heard)
    assert {"gateway charge", "publish PaymentCompleted"} <= set(first)
    assert "gateway charge" not in second
    assert [name for name in second if "publish" in name] == ["republish PaymentCompleted"]
    [again] = [span for span in observed.exporter.spans if span.name == "republish PaymentCompleted"]
    [original] = [span for span in observed.exporter.spans if span.name == "publish PaymentCompleted"]
    assert original.context is not None
    assert [link.context.span_id for link in again.links] == [original.context.span_id]


def test_a_trace_goes_on_from_the_caller_s(observed: Observed) -> None:
    observed.place(traceparent=f"00-{TRACE}-00f067aa0ba902b7-00")
    observed.settle()

    spans = of_trace(observed, TRACE)
    [request] = [span for span in spans if span.name == "POST /orders"]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert orphans(spans) == ["POST /orders"]
    assert {service(span) for span in spans} == ACTED


def test_the_same_order_posted_again_is_a_trace_of_its_own_that_links_to_the_first(observed: Observed) -> None:
    order_id = observed.place(idempotency_key="k-1")
    assert observed.place(idempotency_key="k-1") == order_id

    [again] = [span for span in observed.exporter.spans if span.name == "republish OrderPlaced"]
    [first] = [span for span in observed.exporter.spans if span.name == "publish OrderPlaced"]
    assert trace_id(again) != trace_id(first)
    assert first.context is not None
    assert [link.context.span_id for link in again.links] == [first.context.span_id]


def test_a_cancellation_belongs_to_the_trace_of_the_order(observed: Observed) -> None:
    order_id = observed.place()
    assert observed.ask("POST", f"/orders/{order_id}/cancel").status == 202
    observed.settle()

    spans = of_order(observed)
    assert orphans(spans) == ["POST /orders"]
    [request] = [span for span in spans if span.name == "POST /orders/{id}/cancel"]
    assert {"publish OrderCancelled"} <= {child.name for child in _children(observed, request)}


def test_what_the_sweeper_does_for_an_order_belongs_to_the_trace_of_the_order() -> None:
    world = Observed(Settings(order_deadline=0.0, sweep_after=0.0))
    world.customer()
    world.exporter.spans.clear()
    world.place()
    world.app.sweep(deadline=time.time() + 60)
    world.settle()

    spans = of_order(world)
    assert orphans(spans) == ["POST /orders"]
    [sweep] = [span for span in world.exporter.spans if span.name == "sweeper"]
    [cancelled] = [span for span in spans if span.name == "publish OrderCancelled"]
    assert sweep.context is not None
    assert [link.context.span_id for link in cancelled.links] == [sweep.context.span_id]


def test_a_failure_shows_where_it_was_and_what_became_of_the_message(observed: Observed) -> None:
    observed.ports.store.insert(
        "simulation", "gateway", {"schema": 1, "rev": 1, "mode": "down", "until": rfc3339(time.time() + 600)}
    )
    observed.place()
    [outcome] = observed.consume("payment")

    assert isinstance(outcome, Retry)
    [heard] = observed.spans(messaging_destination_name="payment", orderflow_outcome="retry")
    assert heard.status.status_code is StatusCode.ERROR
    [call] = [span for span in observed.exporter.spans if span.name == "gateway charge"]
    assert call.status.status_code is StatusCode.ERROR
    assert call.attributes is not None
    assert call.attributes["error.type"] == "Unavailable"


def test_a_message_that_is_no_event_is_a_span_as_well(observed: Observed) -> None:
    observed.broker.queues["payment"].append(Delivery(b"{"))
    [outcome] = observed.consume("payment")

    assert outcome == Done("dead-lettered")
    [span] = [span for span in observed.exporter.spans if span.name == "process message"]
    assert span.status.status_code is StatusCode.ERROR


def test_a_sampler_by_trace_id_keeps_the_whole_trace_of_some_orders_and_nothing_of_the_others(
    observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trace ids come from UUIDs, some of whose bits are always the same: not those that a sampler looks at."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    world = Observed()
    world.customer()
    world.settle()
    world.exporter.spans.clear()
    for number in range(30):
        world.place(idempotency_key=f"k-{number}")
        world.consume("payment")

    kept: dict[str, list[str]] = {}
    for span in world.exporter.spans:
        kept.setdefault(trace_id(span), []).append(span.name)
    assert 5 <= len(kept) <= 25
    for names in kept.values():
        assert {"POST /orders", "publish OrderPlaced", "process OrderPlaced", "publish PaymentCompleted"} <= set(names)


def test_a_health_check_leaves_no_trace(observed: Observed) -> None:
    assert observed.ask("GET", "/health").status == 200
    assert observed.exporter.spans == []


def _children(world: Observed, span: ReadableSpan) -> list[ReadableSpan]:
    assert span.context is not None
    return [each for each in world.exporter.spans if each.parent and each.parent.span_id == span.context.span_id]
