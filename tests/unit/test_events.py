"""The event catalogue: what travels between the services, and what does not."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orderflow.envelope import PREFIX, Malformed, decode
from orderflow.events import CORE, Event, OrderPlaced, UnknownEvent, newest, read
from orderflow.services import SERVICES, catalogue, find
from unit.support import enveloped, order_placed

EVENTS = catalogue()

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
skus = st.from_regex(r"[A-Z0-9][A-Z0-9._-]{0,10}", fullmatch=True)
quantities = st.integers(1, 1_000_000)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "sku": skus,
    "quantity": quantities,
    "unit_price": st.integers(0, 10**12),
    "requested": quantities,
    "available": st.integers(0, 10**6),
    "total": st.integers(0, 10**15),
    "amount": st.integers(0, 10**15),
    "currency": st.sampled_from(["EUR", "JPY", "KWD"]),
    "tier": st.sampled_from(["standard", "elevated", "high"]),
    "channel": st.sampled_from(["email", "sms", "push"]),
    "values": st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3),
    "reasons": st.lists(ids, max_size=3).map(tuple),
}

TYPES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 10**6),
    float: st.floats(0, 10**6),
}
"""What is in fields of other names, as events of services that were added have; any text where it is not said here."""


def built(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Any instance of a model: fields by their names, models in tuples likewise, others by their types."""
    fields = {}
    for name, field in model.model_fields.items():
        inner = [each for each in getattr(field.annotation, "__args__", ()) if isinstance(each, type)]
        if name in FIELDS:
            fields[name] = FIELDS[name]
        elif inner and issubclass(inner[0], BaseModel):
            fields[name] = st.lists(built(inner[0]), min_size=1, max_size=3).map(tuple)
        else:
            fields[name] = TYPES.get(field.annotation, ids)
    return st.builds(model, **fields)


def names_of(model: type[BaseModel]) -> set[str]:
    """All field names of a model and of those in it."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in getattr(field.annotation, "__args__", ()):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                names |= names_of(inner)
    return names


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.kind())
@settings(max_examples=20)
@given(data=st.data())
def test_every_event_comes_back_as_it_was_sent(model: type[Event], data: st.DataObject) -> None:
    event = data.draw(built(model))
    envelope = enveloped(event)
    arrived = decode(envelope.to_bytes())
    assert read(arrived) == event
    assert arrived.digest() == envelope.digest()
    assert arrived.to_bytes() == envelope.to_bytes()
    assert len(arrived.attributes()) <= 10


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.kind())
def test_no_event_carries_personal_data(model: type[Event]) -> None:
    personal = re.compile(r"name|address|street|city|postcode|country|mail|phone|sms|push|birth|card|iban|device")
    assert not [name for name in names_of(model) if personal.search(name)]


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.kind())
def test_every_event_names_its_version_in_its_type(model: type[Event]) -> None:
    assert model.type_name() == f"{PREFIX}{model.kind()}.v{model.version}"
    assert model.__name__ == model.kind() if newest(model.kind()) is model else f"{model.kind()}V{model.version}"


def test_somebody_emits_every_event_of_the_catalogue_and_somebody_hears_it() -> None:
    """An event that a service declares beside itself may be for others to hear, one day; or come from outside."""
    from orderflow.files import RECEIPTS

    services = [*map(find, SERVICES), RECEIPTS]
    emitted = {event.kind() for service in services for event in service.emits}
    heard = {event.kind() for service in services for event in service.hears}
    core = {event.kind() for event in CORE}
    assert core == core & emitted & heard
    assert {event.kind() for event in EVENTS} <= emitted | heard


@pytest.mark.parametrize(
    "type_name",
    [
        f"{PREFIX}OrderExploded.v1",
        f"{PREFIX}OrderPlaced.v2",
        f"{PREFIX}OrderPlaced.v0",
        f"{PREFIX}OrderPlaced.v01",
        f"{PREFIX}OrderPlaced.v١",
        f"{PREFIX}OrderPlaced.v-1",
        f"{PREFIX}OrderPlaced.v",
        f"{PREFIX}OrderPlaced",
        f"{PREFIX}orderplaced.v1",
        "org.example.orderflow.OrderPlaced.v1",
        "OrderPlaced.v1",
        f"x{PREFIX}OrderPlaced.v1",
        PREFIX,
    ],
)
def test_a_type_that_is_not_in_the_catalogue_is_an_unknown_event(type_name: str) -> None:
    with pytest.raises(UnknownEvent, match="not in the catalogue"):
        read(enveloped(order_placed(), type=type_name))


@pytest.mark.parametrize("changes", [{"kind": "OrderConfirmed"}, {"category": "answer"}, {"subject": "o-2"}])
def test_attributes_that_contradict_the_data_are_refused(changes: dict[str, Any]) -> None:
    """They are what filters see: an event must not reach a service under a false name."""
    with pytest.raises(Malformed, match="kind, category and subject"):
        read(enveloped(order_placed(), **changes))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"lines": []}, "lines"),
        ({"lines": "none"}, "lines"),
        ({"lines": [{"sku": "CUP", "quantity": 0, "unit_price": 1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "CUP", "quantity": -1, "unit_price": 1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "CUP", "quantity": 10**7, "unit_price": 1}]}, "lines.0.quantity"),
        ({"lines": [{"sku": "cup cake", "quantity": 1, "unit_price": 1}]}, "lines.0.sku"),
        ({"total": -1}, "total"),
        ({"total": 1.5}, "total"),
        ({"currency": "euro"}, "currency"),
        ({"tier": "huge"}, "tier"),
        ({"order_id": ""}, "order_id"),
        ({"order_id": "x" * 201}, "order_id"),
    ],
)
def test_wrong_data_are_malformed_and_the_place_is_named(changes: dict[str, Any], place: str) -> None:
    data = {**json.loads(order_placed().model_dump_json()), **changes}
    with pytest.raises(Malformed, match=rf"^data\.{re.escape(place)}: "):
        read(enveloped(order_placed(), data=data))


@pytest.mark.parametrize("name", list(OrderPlaced.model_fields))
def test_missing_data_are_malformed_and_named(name: str) -> None:
    data = {key: value for key, value in json.loads(order_placed().model_dump_json()).items() if key != name}
    with pytest.raises(Malformed, match=rf"^data\.{name}: "):
        read(enveloped(order_placed(), data=data))


def test_a_field_that_a_newer_sender_added_is_passed_over() -> None:
    data = {**json.loads(order_placed().model_dump_json()), "gift": True}
    assert read(enveloped(order_placed(), data=data)) == order_placed()
