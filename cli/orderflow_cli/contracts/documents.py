"""The contracts as files, generated from the catalogue and the services' declarations.

``contracts/events/<Kind>.v<n>.json`` is the JSON Schema (2020-12) of an event's ``data``; ``x-`` keywords say what its
envelope says. ``contracts/asyncapi.json`` is an AsyncAPI 3.0.0 document of the whole topic: every event as a CloudEvent
(structured JSON mode), and which service sends and receives which. ``contracts/consumers`` says what each service uses
(`orderflow_cli.contracts.consumers`), and ``docs/events.md`` is the catalogue for people."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from pydantic.json_schema import models_json_schema

from orderflow import topology
from orderflow.envelope import FILTERABLE
from orderflow.events import Event
from orderflow.files import RECEIPTS, arrivals
from orderflow.service import Service
from orderflow.services import SERVICES, catalogue, find
from orderflow_cli.contracts import consumers, page

EVENTS = "contracts/events"
CONSUMERS = "contracts/consumers"
ASYNCAPI = "contracts/asyncapi.json"

_ATTRIBUTES = ("id", "source", "subject", "time", "correlationid", "kind", "category")
"""Context attributes that every event has, beside ``specversion``, ``type`` and ``data``."""
_OPTIONAL = ("dataschema", "causationid", "traceparent", "tracestate", "partitionkey", "tier", "channel")


def build() -> dict[str, str]:
    """The text of every contract, by path."""
    schemas = schemas_by_name()
    uses = consumers.observed()
    return {
        **{f"{EVENTS}/{name}.json": _dumps(contract) for name, contract in schemas.items()},
        **{f"{CONSUMERS}/{name}.json": _dumps({"consumer": name, "uses": used}) for name, used in uses.items()},
        ASYNCAPI: _dumps(asyncapi()),
        page.PAGE: page.build(catalogue(), schemas, _senders(), uses),
    }


def schema(model: type[Event]) -> dict[str, Any]:
    """The contract of one event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:orderflow:{model.kind()}:v{model.version}",
        "x-type": model.type_name(),
        "x-category": model.category,
        "x-subject": model.subject_field,
        **model.model_json_schema(),
    }


def schemas_by_name() -> dict[str, dict[str, Any]]:
    """The contract of every event and version, ``OrderPlaced.v1`` and so on."""
    return {f"{model.kind()}.v{model.version}": schema(model) for model in catalogue()}


def asyncapi() -> dict[str, Any]:
    """The topic, its messages, and who sends and receives them."""
    built = topology.build()
    models = catalogue()
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "orderflow events",
            "version": "1",
            "description": "Every event is a CloudEvent 1.0 in structured JSON mode, known by its id. It may come "
            "twice, late and in any order.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": {
                "address": built["topic"],
                "description": "The one topic. Each service has a queue of its own behind a filter on "
                f"{', '.join(FILTERABLE)}.",
                "messages": {_name(model): {"$ref": f"#/components/messages/{_name(model)}"} for model in models},
            }
        },
        "operations": dict(_operations()),
        "components": {
            "messages": {_name(model): _message(model) for model in models},
            "schemas": definitions["$defs"],
        },
    }


def _services() -> list[Service[Any]]:
    files = replace(RECEIPTS, emits=(*RECEIPTS.emits, *arrivals().values()))
    return [*(find(name) for name in SERVICES), files]


def _senders() -> dict[str, list[str]]:
    """The services that emit an event, by event and version."""
    return {
        f"{model.kind()}.v{model.version}": [each.name for each in _services() if model in each.emits]
        for model in catalogue()
    }


def _operations() -> Any:
    """Who hears an event gets every version of it, read as the newest; who sends one sends that version."""
    for service in _services():
        heard = {event.kind() for event in service.hears}
        received = [event for event in catalogue() if event.kind() in heard]
        sent = [event for event in catalogue() if event in service.emits]
        for action, verb, known in (("receive", "receives", received), ("send", "sends", sent)):
            if known:
                yield (
                    f"{service.name}-{verb}",
                    {
                        "action": action,
                        "channel": {"$ref": "#/channels/events"},
                        "summary": f"What {service.name} {verb}.",
                        "messages": [{"$ref": f"#/channels/events/messages/{_name(event)}"} for event in known],
                    },
                )


def _message(model: type[Event]) -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "name": model.type_name(),
        "title": model.kind(),
        "summary": " ".join((model.__doc__ or "").split()),
        "contentType": "application/cloudevents+json",
        "correlationId": {"location": "$message.payload#/correlationid"},
        "payload": {
            "type": "object",
            "required": ["specversion", "type", *_ATTRIBUTES, "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "type": {"const": model.type_name()},
                **{name: {**text, "minLength": 1} for name in _ATTRIBUTES},
                "time": {**text, "format": "date-time"},
                "kind": {"const": model.kind()},
                "category": {"const": model.category},
                "datacontenttype": {"const": "application/json"},
                **dict.fromkeys(_OPTIONAL, text),
                "data": {"$ref": f"#/components/schemas/{model.__name__}"},
            },
        },
    }


def _name(model: type[Event]) -> str:
    return f"{model.kind()}V{model.version}"


def _dumps(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
