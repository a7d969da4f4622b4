"""What is written is read again as it was, whatever it holds; and whatever is read, nothing worse happens than that it
is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orderflow import archive, claims
from orderflow.driver import run
from orderflow.envelope import FILTERABLE, Envelope, Malformed, canonical, decode
from orderflow.ports import Stored
from orderflow.processing import Done
from orderflow.record import Cause, Record, load
from orderflow.service import Service
from orderflow.services import SERVICES, find
from orderflow.services.fraud import SERVICE as FRAUD
from orderflow.services.fraud import Screening
from orderflow.services.inventory import Stock
from orderflow.services.order import tier_of
from orderflow.settings import Settings
from orderflow.topology import FILTER_BYTES, pubsub_filter
from orderflow_local.gcp.pubsub_filter import parse
from orderflow_local.memory import MemoryBroker, MemoryObjects, memory_ports
from properties.examples import JSON, NAMES, OBJECTS, TEXTS, envelopes, ids
from unit.support import TOPOLOGY, Lab

# Envelopes


@given(envelopes)
def test_every_envelope_is_read_as_it_was_written(envelope: Envelope) -> None:
    arrived = decode(envelope.to_bytes())
    assert arrived == envelope
    assert arrived.to_bytes() == envelope.to_bytes()
    assert arrived.digest() == envelope.digest()
    assert {name: arrived.extension(name) for name in envelope.to_dict()} == envelope.to_dict()
    assert arrived != arrived.replace(id=f"{arrived.id}x")
    assert arrived != arrived.to_dict()


@given(envelopes, st.randoms(use_true_random=False))
def test_an_envelope_says_the_same_however_its_json_is_written(envelope: Envelope, random: Any) -> None:
    """Brokers and SDKs write spaces, escapes and an order of fields of their own."""
    fields = list(envelope.to_dict().items())
    random.shuffle(fields)
    arrived = decode(json.dumps(dict(fields), ensure_ascii=True, indent=1).encode())
    assert arrived.digest() == envelope.digest()
    assert arrived.to_bytes() == envelope.to_bytes()


@given(
    st.binary(max_size=60)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.tuples(envelopes, st.integers(0, 400), st.binary(max_size=3)).map(
        lambda drawn: drawn[0].to_bytes()[: drawn[1]] + drawn[2] + drawn[0].to_bytes()[drawn[1] :]
    )
)
@example(b'{"data": {"a": 1e999}}')
@example(b'{"data": {"a": "\\ud800"}}')
@example(b'{"data": {"a": ' + b"9" * 400 + b"}}")
@settings(max_examples=120)
def test_any_body_is_an_envelope_that_can_be_written_or_it_is_malformed(body: bytes) -> None:
    try:
        envelope = decode(body)
    except Malformed:
        return
    assert decode(envelope.to_bytes()).digest() == envelope.digest()


@given(envelopes, st.integers().map(str) | st.floats().map(str) | st.from_regex(r"-?[0-9]{1,40}(e[0-9]{1,3})?"))
@settings(max_examples=100)
def test_a_number_is_the_same_after_one_hop_as_after_two(envelope: Envelope, number: str) -> None:
    """Whatever another program wrote. A number that changed with each hop would make its event another one, and the
    same id refused."""
    body = canonical({**envelope.to_dict(), "data": {"n": 0}}).replace(
        b'"data":{"n":0}', f'"data":{{"n":{number}}}'.encode()
    )
    try:
        once = decode(body)
    except Malformed:
        return
    assert decode(once.to_bytes()).to_bytes() == once.to_bytes()
    assert decode(once.to_bytes()).digest() == once.digest()


@given(
    st.dictionaries(st.sampled_from(["id", "time", "dataref", "datasha256", "data", "self", "x"]) | NAMES, JSON),
    st.none() | envelopes,
)
@example({"dataref": "claims/x.json", "self": 1}, None)
@settings(max_examples=100)
def test_any_body_that_leads_elsewhere_is_an_envelope_that_can_be_written_or_it_is_malformed(
    changes: dict[str, Any], envelope: Envelope | None
) -> None:
    content = {name: value for name, value in (envelope.to_dict() if envelope else {}).items() if name != "data"}
    try:
        claim = claims.decode(json.dumps({**content, "dataref": "claims/x.json", **changes}).encode())
    except Malformed:
        return
    assert claims.decode(claim.to_bytes()).to_bytes() == claim.to_bytes()


@given(envelopes)
def test_an_event_whose_data_stayed_behind_is_the_same_once_they_are_fetched(envelope: Envelope) -> None:
    ports = memory_ports(TOPOLOGY)
    broker = MemoryBroker({})
    assert claims.ClaimingPublisher(broker, ports.archive, most_bytes=0).publish([envelope]) == [None]
    [sent] = broker.published
    assert "data" not in sent.to_dict()
    assert sent.attributes() == envelope.attributes()
    fetched = run(claims.redeem(claims.decode(sent.to_bytes())), ports)
    assert fetched == envelope
    assert fetched.digest() == envelope.digest()


# Documents

causes = st.builds(Cause, id=ids, digest=ids, correlation_id=ids)


@given(st.lists(st.tuples(causes, st.lists(envelopes, max_size=2), st.booleans()), max_size=5))
def test_a_document_remembers_everything_and_in_which_order(
    history: list[tuple[Cause, list[Envelope], bool]],
) -> None:
    state = Screening(order_id="o", verdict="cleared", reasons=("é\x00",))
    record: Record[Screening] = Record()
    for cause, emitted, intends in history:
        record = record.intending(state, cause) if intends else record.absorbing(state, cause, tuple(emitted))
    if record.state is None:
        return
    document = json.loads(canonical(record.to_document(FRAUD)))
    read = load(FRAUD, Stored(document, "1"))
    assert read.state == state
    assert list(read.absorbed) == list(record.absorbed)
    assert [each.to_bytes() for each in read.emitted()] == [each.to_bytes() for each in record.emitted()]
    assert read.pending == record.pending
    assert read.to_document(FRAUD) == {**document, "rev": document["rev"] + 1}
    for cause, _, _ in history:
        known = record.absorbed[cause.id][0] if cause.id in record.absorbed else record.pending.get(cause.id)
        assert read.contradicts(cause) == (known is not None and known != cause.digest)


documents = st.builds(
    lambda rev, state, index: {"schema": 1, "rev": rev, "state": state, "index": index},
    rev=st.integers(1, 10**9),
    state=OBJECTS,
    index=st.dictionaries(
        st.sampled_from(["customer", "due", "day"]),
        st.tuples(*[st.from_regex(r"[A-Za-z0-9._=-]{1,30}", fullmatch=True)] * 2).map(list),
    ),
)
keys = st.from_regex(r"[A-Za-z0-9._=-]{1,40}", fullmatch=True)


@given(keys, documents)
def test_an_item_of_dynamodb_holds_the_document(key: str, document: dict[str, Any]) -> None:
    from orderflow_aws import store

    stored = Stored(document, "v")
    assert store._stored(store._item(key, stored)) == stored


@given(keys, documents, st.integers(1, 40))
def test_an_entity_of_azure_tables_holds_the_document_cut_anywhere(
    key: str, document: dict[str, Any], characters: int
) -> None:
    from orderflow_azure import store

    class Entity(dict[str, Any]):
        metadata = {"etag": "e"}

    tags = dict.fromkeys(store._rows(key, document), "tag")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_CHUNK", characters)
        stored = store._stored(Entity(store._entity(key, document, tags)))
    assert stored.document == document
    assert store._read_version(stored.version) == ("e", tags)
    assert {store._key(row) for _, row in tags} <= {key}


@given(st.lists(st.tuples(keys, keys), min_size=2, max_size=8, unique=True), keys)
def test_rows_of_azure_tables_sort_as_their_values_do_both_ways(entries: list[tuple[str, str]], through: str) -> None:
    from orderflow_azure import store

    rows = {(sort, key): store._rows(key, {"index": {"i": ["p", sort]}}) for sort, key in entries}
    for position, descending in ((0, False), (1, True)):
        after, before = store._range(through, descending)
        listed = sorted((row, entry) for entry, of in rows.items() if after < (row := of[position][1]) < before)
        assert [entry for _, entry in listed] == sorted(
            (entry for entry in entries if entry[0] <= through), reverse=descending
        )


@given(keys, documents)
def test_a_document_of_firestore_holds_the_document(key: str, document: dict[str, Any]) -> None:
    from google.cloud.firestore_v1 import types

    from orderflow_gcp import store

    written = types.Document(name=f"x/{key}", fields=store._fields(document), update_time={"seconds": 5, "nanos": 7})
    stored = store._stored(types.Document.deserialize(types.Document.serialize(written)))
    assert stored == Stored(document, "5.000000007")
    assert store._unchanged(stored) == {"update_time": {"seconds": 5, "nanos": 7}}


# Filters


@given(st.data())
def test_a_pubsub_filter_lets_through_what_the_service_does(data: st.DataObject) -> None:
    service: Service[Any] = find(data.draw(st.sampled_from(sorted(SERVICES))))
    filters = service.subscription_filter()
    known = {name: st.sampled_from([*values, "other", ""]) for name, values in filters.items()}
    attributes = data.draw(st.fixed_dictionaries({}, optional={name: known.get(name, TEXTS) for name in FILTERABLE}))
    text = pubsub_filter(filters) if filters else ""
    assert parse(text)(attributes) == service.lets_through(attributes)
    assert len(text.encode()) <= FILTER_BYTES


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_larger_order_is_never_of_a_lower_tier(one: int, other: int) -> None:
    ranks = ["standard", "elevated", "high"]
    tiers = [ranks.index(tier_of(total, Settings())) for total in sorted((one, other))]
    assert tiers == sorted(tiers)


# The archive


@given(st.lists(envelopes, max_size=5), st.integers(0, 2))
def test_the_archive_gives_back_what_was_put_in_each_event_once(written: list[Envelope], indent: int) -> None:
    """Whoever wrote them: with line breaks where JSON has them, or twice."""
    objects = MemoryObjects()
    bodies = [json.dumps(each.to_dict(), indent=indent or None).encode() for each in written]
    for number in range(2):
        objects.put(archive.object_name(4e9 * number, str(number)), archive.lines(bodies))
    wanted = {each.id: each for each in reversed(written)}
    read = list(archive.read(objects, 0.0, 7.3e9))
    assert sorted(each.id for each in read) == sorted(wanted)
    assert all(each == wanted[each.id] for each in read)


@given(st.floats(0, 4e9), st.floats(0, 4e9), NAMES, NAMES)
def test_objects_of_the_archive_sort_by_the_second_they_were_begun_in(
    one: float, other: float, first: str, second: str
) -> None:
    earlier, later = sorted((one, other))
    if int(earlier) < int(later):
        assert archive.object_name(earlier, first) < archive.object_name(later, second)


# Files

cells = TEXTS | st.sampled_from(["CUP", "POT", "1", "10", "-1", "1000001", "1.5", "", '"', "EUR", "sku", "quantity"])
tables = st.lists(st.lists(cells, max_size=5), max_size=6).map(
    lambda rows: "\n".join(",".join(row) for row in [["sku", "quantity"], *rows]).encode()
)
json_lines = st.lists(
    JSON | st.fixed_dictionaries({"sku": st.sampled_from(["CUP", "cup"]), "quantity": st.integers(-2, 5) | JSON}),
    max_size=6,
).map(lambda rows: "\n".join(json.dumps(row) for row in rows).encode())


@given(
    st.sampled_from(["stock/a.csv", "stock/a.jsonl", "catalogue/a.csv", "catalogue/a.ndjson", "other/a.csv", "a"]),
    st.binary(max_size=200) | tables | json_lines,
)
@settings(max_examples=100)
def test_any_file_is_loaded_row_by_row_and_what_is_bad_is_put_aside(name: str, data: bytes) -> None:
    lab = Lab.make()
    assert isinstance(lab.load_file(name, data), Done)
    first = counted(lab)
    [aside] = [lab.archive.get(each) for each in lab.archive.names("quarantine/")] or [b""]
    bad = [json.loads(line) for line in aside.splitlines()]
    whole = [each for each in bad if each["row"] == 0]
    loaded = len(lab.published("StockReplenished")) if name.startswith("stock/") else None
    if loaded is not None and not whole:
        numbers = [each["row"] for each in bad]
        rows = loaded + len(bad)
        assert sorted(set(numbers)) == numbers
        assert all(1 <= number <= rows for number in numbers)
        assert sum(first.values()) == sum(each.data["quantity"] for each in lab.published("StockReplenished"))
    assert isinstance(lab.load_file(name, data), Done)
    assert counted(lab) == first, "a file that is told of again brings nothing"


def counted(lab: Lab) -> dict[str, int]:
    """Units on every shelf."""
    return {key: Stock.model_validate(each["state"]).available for key, each in lab.store.all("stock")}
