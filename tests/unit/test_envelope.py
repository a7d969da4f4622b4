"""CloudEvents in and out: what is read, what is refused and in which words, and what counts as the same message."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderflow.envelope import Envelope, Malformed, canonical, child_trace, decode, derived_id, rfc3339
from unit.support import enveloped, order_placed

GOOD: dict[str, Any] = json.loads(enveloped(order_placed()).to_bytes())
REQUIRED = ("id", "source", "type", "subject", "time", "correlationid", "kind", "category", "data")


def body(**changes: Any) -> bytes:
    """The good message with some fields changed."""
    return json.dumps({**GOOD, **changes}).encode()


def test_a_good_message_is_read() -> None:
    envelope = decode(body())
    assert envelope.kind == "OrderPlaced"
    assert envelope.data["order_id"] == "o-1"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_attribute_is_named(name: str) -> None:
    message = {key: value for key, value in GOOD.items() if key != name}
    with pytest.raises(Malformed, match=f"^{name}: "):
        decode(json.dumps(message).encode())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": "1.1"}, "specversion"),
        ({"specversion": 1.0}, "specversion"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "x" * 301}, "id"),
        ({"subject": None}, "subject"),
        ({"type": "x" * 301}, "type"),
        ({"datacontenttype": "text/xml"}, "datacontenttype"),
        ({"data": "text"}, "data"),
        ({"data": [1]}, "data"),
        ({"data": None}, "data"),
        ({"time": "yesterday"}, "time"),
        ({"time": ""}, "time"),
        ({"time": 1_800_000_000}, "time"),
        ({"time": "2027-01-15T08:00:00"}, "time"),
        ({"time": "2027-01-15"}, "time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "time"),
        ({"time": "2027-01-15T08:00:00.000Z" + " " * 40}, "time"),
        ({"kind": ""}, "kind"),
        ({"channel": 5}, "channel"),
    ],
)
def test_a_wrong_attribute_is_named(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(Malformed, match=f"^{named}: "):
        decode(body(**changes))


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b"\xff\xfe\x00\x01",
        json.dumps(GOOD).encode("utf-16"),
        body()[:-1],
        body() + b"x",
        body(id="e-1").replace(b"e-1", b"\xc3\x28"),
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"data": ' + b"1" * 10_000 + b"}",
        body(subject="x").replace(b'"subject": "x"', b'"subject": "\\ud800"'),
    ],
    ids=lambda message: repr(message[:20]),
)
def test_what_is_no_message_is_malformed(message: bytes) -> None:
    with pytest.raises(Malformed):
        decode(message)


@given(st.binary(max_size=200))
def test_any_bytes_are_malformed_and_nothing_worse(message: bytes) -> None:
    with pytest.raises(Malformed):
        decode(message)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "traceparent", "tier", "channel", "extra", "model_config"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=50)
        | st.datetimes(allow_imaginary=False, timezones=st.timezones()).map(lambda time: time.isoformat())
        | st.lists(st.integers(), max_size=2)
        | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        max_size=3,
    )
)
def test_any_attributes_are_read_or_malformed_and_nothing_worse(changes: dict[str, Any]) -> None:
    try:
        envelope = decode(body(**changes))
    except Malformed:
        return
    assert decode(envelope.to_bytes()).digest() == envelope.digest()


def test_an_error_never_shows_what_was_sent() -> None:
    with pytest.raises(Malformed) as error:
        decode(body(data="Zoë lives at 1 Secret Street", time="Zoë"))
    assert "Zoë" not in str(error.value)
    assert "Secret" not in str(error.value)


def test_a_megabyte_is_read_if_it_is_good() -> None:
    assert len(decode(body(data={"text": "ö" * 500_000})).data["text"]) == 500_000


def test_an_extension_of_others_travels_on() -> None:
    envelope = decode(body(comexampleteam="Łódź \u2028 \U0001f600"))
    assert json.loads(envelope.to_bytes())["comexampleteam"] == "Łódź \u2028 \U0001f600"


def test_the_canonical_form_has_sorted_keys_no_spaces_and_utf_8() -> None:
    assert canonical({"b": {"d": "ö", "c": [1, None]}, "a": True}) == '{"a":true,"b":{"c":[1,null],"d":"ö"}}'.encode()
    assert enveloped(order_placed()).to_bytes() == canonical(GOOD)


def test_absent_attributes_are_not_written() -> None:
    assert not {"channel", "tracestate", "dataschema"} & json.loads(decode(body()).to_bytes()).keys()
    assert decode(body(channel=None)).to_bytes() == decode(body()).to_bytes()


SAME_TIME = [
    "2027-01-15T08:00:00Z",
    "2027-01-15T08:00:00.000Z",
    "2027-01-15T08:00:00.000000Z",
    "2027-01-15T08:00:00.0004Z",
    "2027-01-15T09:00:00+01:00",
    "2027-01-15T02:30:00.000-05:30",
    "2027-01-15t08:00:00z",
]


@pytest.mark.parametrize("time", SAME_TIME)
def test_one_time_has_one_spelling(time: str) -> None:
    assert decode(body(time=time)).time == "2027-01-15T08:00:00.000Z"


@given(st.randoms(use_true_random=False), st.sampled_from(SAME_TIME), st.none() | st.text(max_size=60))
def test_the_digest_does_not_see_key_order_time_spelling_or_trace(random: Any, time: str, trace: str | None) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(each) for key, each in items}

    other = shuffled({**GOOD, "time": time, "traceparent": trace, "tracestate": trace})
    assert decode(json.dumps(other, indent=1).encode()).digest() == decode(body()).digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {**GOOD["data"], "total": 1}},
        {"data": {**GOOD["data"], "new": None}},
        {"subject": "o-2"},
        {"type": GOOD["type"][:-1] + "2"},
        {"id": "e-2"},
        {"time": "2027-01-15T08:00:00.001Z"},
        {"correlationid": "o-2"},
        {"tier": "high"},
        {"extension": "more"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_digest_sees_everything_else(changes: dict[str, Any]) -> None:
    assert decode(body(**changes)).digest() != decode(body()).digest()


def test_attributes_for_filters_are_few_and_only_those_that_are_there() -> None:
    full = decode(body(tier="high", channel="sms", other="x"))
    assert full.attributes() == {"kind": "OrderPlaced", "category": "order", "tier": "high", "channel": "sms"}
    assert len(full.attributes()) <= 10
    assert enveloped(order_placed()).attributes() == {"kind": "OrderPlaced", "category": "order", "tier": "standard"}


def test_an_id_derives_from_its_parts_and_their_order() -> None:
    ids = [derived_id(*parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a"], ["a", "b", "0"], ["a", "b", "1"])]
    assert len(set(ids)) == len(ids)
    assert derived_id("a", "b") == derived_id("a", "b")
    assert UUID(derived_id("ö")).version == 5


def test_derived_ids_stay_what_they_are_from_release_to_release() -> None:
    """Another derivation would take every event that is on its way for a new one."""
    assert derived_id("cause", "order", "type", "0") == "c6e499f6-d5bf-566b-9a25-a174698c77e9"


def test_a_trace_goes_on_with_a_span_of_the_events_own() -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    event_id = derived_id("an event")
    child = child_trace(parent, event_id)
    version, trace, span, flags = child.split("-")
    assert (version, trace, flags) == ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span != "00f067aa0ba902b7"
    assert len(span) == 16
    assert child == child_trace(parent, event_id)


@pytest.mark.parametrize("parent", [None, "", "nonsense", "00-1-2"])
def test_a_trace_begins_where_there_is_none(parent: str | None) -> None:
    version, trace, span, flags = child_trace(parent, derived_id("an event")).split("-")
    assert [len(part) for part in (version, trace, span, flags)] == [2, 32, 16, 2]


@given(st.floats(min_value=0, max_value=4e9))
def test_times_are_written_as_envelopes_read_them(seconds: float) -> None:
    text = rfc3339(seconds)
    assert Envelope(**{**GOOD, "time": text}).time == text


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_what_is_nested_too_deep_to_be_written_again_is_not_read(brackets: str) -> None:
    opening, closing = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    read = []
    for depth in (100, *range(240, 270), 900):
        value = opening * depth + "1" + closing * depth
        message = body().replace(b'"data": {', f'"data": {{"deep": {value}, '.encode())
        try:
            decode(message).digest()
        except Malformed as error:
            assert "limit" in str(error)
        else:
            read.append(depth)
    assert read[:2] == [100, 240]
    assert 900 not in read
