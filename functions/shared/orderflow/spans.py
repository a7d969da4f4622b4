"""Spans of what the observer saw, by OpenTelemetry. The only other modules that import it are `orderflow.meters` and
each cloud's ``telemetry``.

A span is made when its work is over. Identity follows from the events: an event's ``traceparent`` names the span of
its publication, whose id derives from the event's, so that every hop can say whose child it is without asking. An
event that is published again, by a redelivery or the sweeper, gets a span of its own with a link to the first; the
processing of each delivery is a span of its own under the event's.

Names and attributes are those of OpenTelemetry's semantic conventions for messaging and HTTP
(opentelemetry.io/docs/specs/semconv/messaging/messaging-spans); what is ours begins with ``orderflow.``. No data of an
event, no argument of a call and no document gets in."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from orderflow import log
from orderflow.envelope import Envelope, valid_trace
from orderflow.http import Request, Response, route
from orderflow.observer import Call, Commit, Handling
from orderflow.ports import Conflict, Delivery
from orderflow.processing import Retry
from orderflow.steps import Ask, Bury, Get, Publish, Put, Query, ReadArchive, ReadDrop, Step, WriteArchive

_MOST_WAITING = 4_096
"""Spans that wait to be sent; what comes on top is dropped, and counted in the log."""
_PAUSE_S = 30.0
"""For how long nothing is sent after it failed or took too long: nobody is to wait for a collector that is down."""

Attributes = dict[str, str | int | float | bool]


def otlp_exporter(**options: Any) -> SpanExporter:
    """OTLP over HTTP, as the variables ``OTEL_EXPORTER_OTLP_*`` have it."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(**options)


class Spans:
    """`orderflow.observer.Sink`: makes spans and sends them with an exporter."""

    def __init__(self, exporter: SpanExporter, resource: Mapping[str, str]) -> None:
        self._outbox = Outbox(exporter)
        self._resource = resource
        self._ids = _Ids()
        self._tracers: dict[str, Tracer] = {}

    def delivered(self, service: str, delivery: Delivery, envelope: Envelope | None, handling: Handling) -> None:
        outcome = handling.result
        attributes: Attributes = {
            "messaging.operation.type": "process",
            "messaging.destination.name": service,
            "orderflow.receives": delivery.receives,
            "orderflow.outcome": "retry" if isinstance(outcome, Retry) else getattr(outcome, "note", "out of time"),
        }
        if envelope is not None:
            attributes |= _about(envelope)
        span = self._start(
            service,
            f"process {envelope.kind if envelope else 'message'}",
            SpanKind.CONSUMER,
            handling.began,
            parent=_context(envelope.traceparent) if envelope else None,
            attributes=attributes,
        )
        if isinstance(outcome, Retry):
            span.set_status(Status(StatusCode.ERROR, outcome.reason))
        elif attributes["orderflow.outcome"] in ("dead-lettered", "out of time"):
            span.set_status(Status(StatusCode.ERROR, str(attributes["orderflow.outcome"])))
        self._end(service, span, handling)

    def answered(self, request: Request, handling: Handling) -> None:
        response = handling.result
        status = response.status if isinstance(response, Response) else 500
        where = route(request.path)
        # A command is where a trace begins, if its caller has none: that of the first event that it brought about.
        made = [commit for commit in map(Commit.of, handling.commits()) if commit.new]
        parent = _context(valid_trace(request.headers.get("traceparent")))
        trace_id = None
        attributes: Attributes = {
            "http.request.method": request.method,
            "http.route": where,
            "http.response.status_code": status,
        }
        if made:
            event, first = made[0].new[0], made[0].first
            trace_id = _trace_id(event)
            attributes["orderflow.order_id"] = event.subject
            if parent is None and first is not None and first.id != event.id and _trace_id(first) == trace_id:
                parent = _context(first.traceparent)
        span = self._start(
            "api", f"{request.method} {where}", SpanKind.SERVER, handling.began, parent, attributes, trace_id=trace_id
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        self._end("api", span, handling)

    def performed(self, service: str, handling: Handling) -> None:
        span = self._start(service, service, SpanKind.INTERNAL, handling.began)
        if handling.error is not None:
            span.set_status(Status(StatusCode.ERROR, type(handling.error).__name__))
        self._end(service, span, handling)

    def flush(self, seconds: float) -> None:
        self._outbox.flush(seconds)

    def _end(self, service: str, span: Span, handling: Handling) -> None:
        """End a span after its children: what the handler called."""
        new: dict[str, Envelope | None] = {}
        for call in handling.calls:
            if isinstance(call.step, Put) and call.error is None:
                commit = Commit.of(call.step)
                new |= {event.id: commit.first for event in commit.new}
            if isinstance(call.step, Publish):
                self._published(service, span, call, call.step.envelope, new)
            else:
                self._called(service, span, call)
        span.end(handling.ended)

    def _published(
        self, service: str, span: Span, call: Call, envelope: Envelope, new: Mapping[str, Envelope | None]
    ) -> None:
        """The span of a publication: the one that the event's ``traceparent`` names, if the event was new here."""
        attributes: Attributes = {
            "messaging.operation.type": "send",
            "messaging.destination.name": "events",
            **_about(envelope),
        }
        own = span.get_span_context()
        if envelope.id not in new:
            origin = _context(envelope.traceparent)
            links = [Link(origin)] if origin else []
            child = self._start(
                service, f"republish {envelope.kind}", SpanKind.PRODUCER, call.began, own, attributes, links=links
            )
        else:
            parent: SpanContext | None = own
            links = []
            if _trace_id(envelope) != own.trace_id:
                # A sweep looks at many orders: what it does for one belongs to the trace of that one.
                first = new[envelope.id]
                parent = _context(first.traceparent) if first is not None and first.id != envelope.id else None
                links = [Link(own)]
            child = self._start(
                service,
                f"publish {envelope.kind}",
                SpanKind.PRODUCER,
                call.began,
                parent,
                attributes,
                links=links,
                trace_id=_trace_id(envelope),
                span_id=_span_id(envelope),
            )
        _close(child, call)

    def _called(self, service: str, span: Span, call: Call) -> None:
        described = _described(call.step)
        if described is None:
            return
        name, attributes = described
        own = span.get_span_context()
        _close(self._start(service, name, SpanKind.CLIENT, call.began, own, attributes), call)

    def _start(
        self,
        service: str,
        name: str,
        kind: SpanKind,
        began: int,
        parent: SpanContext | None = None,
        attributes: Attributes | None = None,
        *,
        links: list[Link] | None = None,
        trace_id: int | None = None,
        span_id: int | None = None,
    ) -> Span:
        self._ids.next(trace_id, span_id)
        context = set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
        return self._tracer(service).start_span(name, context, kind, attributes, links, start_time=began)

    def _tracer(self, service: str) -> Tracer:
        """Each service is one to a backend, also where several are in one process."""
        if service not in self._tracers:
            named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": service}
            resource = Resource.create({**self._resource, "service.namespace": "orderflow", **named})
            provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
            provider.add_span_processor(self._outbox)
            self._tracers[service] = provider.get_tracer("orderflow")
        return self._tracers[service]


class Outbox(SpanProcessor):
    """Spans that wait to be sent, and the sending: in a thread, so that nobody waits for it longer than is said."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lock = threading.Lock()
        self._waiting: list[ReadableSpan] = []
        self._dropped = 0
        self._sender: threading.Thread | None = None
        self._resume_at = 0.0

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            if len(self._waiting) < _MOST_WAITING:
                self._waiting.append(span)
            else:
                self._dropped += 1

    def flush(self, seconds: float) -> None:
        """Send all that waits; give up waiting for that after so many seconds, and then leave it for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (sender := self._sending()) is not None:
            sender.join(end - time.monotonic())
            if sender.is_alive():
                self._give_up("it takes too long")

    def _sending(self) -> threading.Thread | None:
        """The thread that sends now; None where there is nothing to send, or it must wait."""
        with self._lock:
            if time.monotonic() < self._resume_at:
                return None
            if self._sender is None or not self._sender.is_alive():
                if not self._waiting:
                    return None
                spans, self._waiting = self._waiting, []
                self._sender = threading.Thread(target=partial(self._send, spans), name="telemetry", daemon=True)
                self._sender.start()
            return self._sender

    def _send(self, spans: list[ReadableSpan]) -> None:
        try:
            if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
                self._give_up("the exporter failed", len(spans))
        except Exception as error:
            self._give_up(type(error).__name__, len(spans))

    def _give_up(self, reason: str, lost: int = 0) -> None:
        with self._lock:
            self._resume_at = time.monotonic() + _PAUSE_S
            dropped, self._dropped = self._dropped, 0
        log.write("WARNING", "spans not sent", reason=reason, lost=lost + dropped)


class _Ids(RandomIdGenerator):
    """Gives the next span of this thread the ids that were asked for, others random ones."""

    def __init__(self) -> None:
        self._asked = threading.local()

    def next(self, trace_id: int | None, span_id: int | None) -> None:
        self._asked.trace_id, self._asked.span_id = trace_id, span_id

    def generate_trace_id(self) -> int:
        return getattr(self._asked, "trace_id", None) or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return getattr(self._asked, "span_id", None) or random.getrandbits(64) or 1


def _context(traceparent: str | None) -> SpanContext | None:
    """The span that a ``traceparent`` names. Always as sampled: front ends of clouds write what suits themselves there,
    and a sampler by trace id (``OTEL_TRACES_SAMPLER=traceidratio``) decides the same at every hop."""
    if not (traceparent := valid_trace(traceparent)):
        return None
    _, trace_id, span_id, _ = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _trace_id(envelope: Envelope) -> int:
    context = _context(envelope.traceparent)
    return context.trace_id if context else 0


def _span_id(envelope: Envelope) -> int | None:
    context = _context(envelope.traceparent)
    return context.span_id if context else None


def _about(envelope: Envelope) -> Attributes:
    about: Attributes = {
        "messaging.message.id": envelope.id,
        "messaging.message.conversation_id": envelope.correlationid,
        "orderflow.event": envelope.kind,
        "orderflow.subject": envelope.subject,
    }
    if envelope.causationid is not None:
        about["orderflow.causation_id"] = envelope.causationid
    return about


def _described(step: Step) -> tuple[str, Attributes] | None:
    """Name and attributes of a call's span; None for what deserves none."""
    match step:
        case Get() | Put() | Query():
            operation = type(step).__name__.lower()
            return f"{operation} {step.collection}", {
                "db.operation.name": operation,
                "db.collection.name": step.collection,
            }
        case Ask():
            return f"{step.dependency} {step.method}", {"peer.service": step.dependency}
        case Bury():
            return "dead-letter", {"orderflow.reason": step.letter.reason}
        case ReadDrop() | ReadArchive() | WriteArchive():
            return f"{type(step).__name__}", {}
    return None


def _close(span: Span, call: Call) -> None:
    if isinstance(call.error, Conflict):
        span.set_attribute("orderflow.conflict", True)  # Somebody else was first: that is how it works, no error.
    elif call.error is not None:
        span.set_attribute("error.type", type(call.error).__name__)
        span.set_status(Status(StatusCode.ERROR))
    span.end(call.ended)
