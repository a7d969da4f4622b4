"""What the properties are tried on: texts as strange as Unicode allows, any JSON, any envelope."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from orderflow.envelope import Envelope, rfc3339

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    ["\x00", "\x7f", "\u2028", "\ufeff", "\ufffe\uffff", "e\u0301", "\U0001f1e9\U0001f1ea", "'\"\\/", "=41", "\x1f"]
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=5)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)
"""Of CloudEvents attributes (github.com/cloudevents/spec, spec.md, naming conventions)."""

ids = TEXTS.filter(bool)
optional = st.none() | TEXTS
envelopes = st.builds(
    lambda extensions, **attributes: Envelope(**{**extensions, **attributes}),
    extensions=st.dictionaries(NAMES.map("x{}".format), TEXTS, max_size=3),
    id=ids,
    source=ids,
    type=ids,
    subject=ids,
    time=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(
        lambda time: rfc3339(time.replace(tzinfo=UTC).timestamp())
    ),
    correlationid=ids,
    causationid=optional,
    traceparent=optional,
    tracestate=optional,
    partitionkey=optional,
    dataschema=optional,
    kind=ids,
    category=ids,
    tier=optional,
    channel=optional,
    data=OBJECTS,
)
