"""Contracts: the documents that are generated, and what is said of a change."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import ValidationError
from typer.testing import CliRunner

from added import added
from orderflow.events import Event, read
from orderflow.services import SERVICES, find
from orderflow_cli.contracts import compare, consumers, documents
from orderflow_cli.main import app
from unit.support import enveloped, order_placed
from unit.test_events import EVENTS, built

ROOT = Path(__file__).parents[2]
OFFICIAL = ROOT / "tools" / "asyncapi"

# The documents


def test_the_contracts_in_the_repository_are_what_the_code_says() -> None:
    for path, text in documents.build().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, "run `make format`"


@pytest.mark.parametrize("model", EVENTS, ids=lambda model: model.kind())
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_every_event_keeps_its_contract(model: type[Event], data: st.DataObject) -> None:
    schema = documents.schema(model)
    Draft202012Validator.check_schema(schema)
    event = enveloped(data.draw(built(model)))
    Draft202012Validator(schema).validate(event.data)
    for name in schema["required"]:
        with pytest.raises(ValidationError):
            Draft202012Validator(schema).validate({**event.data, name: object()})


def test_the_asyncapi_document_is_one_by_the_official_schema() -> None:
    validator = Draft7Validator(_official())
    document = documents.asyncapi()
    validator.validate(document)
    document["operations"]["order-sends"]["action"] = "shouts"
    with pytest.raises(ValidationError):
        validator.validate(document)


def test_an_event_as_it_travels_is_the_message_of_the_asyncapi_document() -> None:
    document = documents.asyncapi()
    payload = document["components"]["messages"]["OrderPlacedV1"]["payload"]
    validator = Draft202012Validator({**payload, "components": document["components"]})
    envelope = enveloped(order_placed())
    validator.validate(envelope.to_dict())
    assert read(envelope) == order_placed()
    with pytest.raises(ValidationError):
        validator.validate(envelope.replace(kind="OrderEaten").to_dict())
    with pytest.raises(ValidationError):
        validator.validate(envelope.replace(data={**envelope.data, "lines": []}).to_dict())


def test_the_asyncapi_document_says_who_sends_and_who_receives() -> None:
    operations = documents.asyncapi()["operations"]
    for name in SERVICES:
        for verb, events in (("receives", find(name).hears), ("sends", find(name).emits)):
            said = {
                each["$ref"].rpartition("/")[2] for each in operations.get(f"{name}-{verb}", {}).get("messages", [])
            }
            assert said == {f"{event.kind()}V{event.version}" for event in events}


def test_every_field_of_every_event_says_what_it_means() -> None:
    page = documents.build()["docs/events.md"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"]
    assert len(rows) > 50
    assert [row[0] for row in rows if len(row) != 5 or not row[3]] == []


# Who uses what


def test_a_service_is_seen_to_use_what_its_decisions_read_and_nothing_else() -> None:
    uses = consumers.observed()
    assert uses["fraud"] == {"OrderPlaced.v1": ["/lines", "/lines/[]/quantity", "/order_id", "/tier", "/total"]}
    assert uses["shipping"]["OrderConfirmed.v1"] == ["/customer_id", "/order_id", "/placed_at"]
    assert uses["analytics"]["StockReplenished.v1"] == ["/sku"]
    assert {name: set(events) for name, events in uses.items()} == {
        name: {f"{event.kind()}.v{event.version}" for event in find(name).hears} for name in SERVICES
    }


def test_a_service_that_is_added_changes_nothing_of_what_others_are_seen_to_use() -> None:
    alone = consumers.observed()
    with added("support_desk", "customer_registration"):
        together = consumers.observed()
    assert together.keys() > alone.keys()
    assert {name: together[name] for name in alone} == alone


def test_an_event_that_no_order_brings_about_counts_as_used_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "MORE_PATHS", ())
    uses = consumers.observed()
    assert uses["order"]["ShipmentRefused.v1"] == [""]
    assert consumers.users([uses], "ShipmentRefused.v1", "/reason") == ["analytics", "notification", "order"]


@pytest.mark.parametrize(
    ("place", "services"),
    [
        ("", ["all", "many", "one"]),
        ("/lines", ["all", "many", "one"]),
        ("/lines/[]", ["all", "one"]),
        ("/lines/anyOf/[]/sku", ["all", "one"]),
        ("/lines/[]/price", ["all"]),
        ("/line", ["all"]),
    ],
)
def test_a_change_touches_who_uses_the_place_or_what_is_in_it(place: str, services: list[str]) -> None:
    before = {"one": {"E.v1": ["/lines", "/lines/[]/sku"]}, "many": {"E.v1": ["/lines"], "F.v1": ["/other"]}}
    after = {"one": {"E.v1": ["/lines"]}, "all": {"E.v1": [""]}}
    assert consumers.users([before, after], "E.v1", place) == services


def _official() -> Any:
    path = OFFICIAL / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0-without-$id.json"
    if not path.is_file():
        if shutil.which("npm") is None:
            pytest.skip("the official schema comes from npm, which is not installed")
        options = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(["npm", "ci", "--prefix", str(OFFICIAL), *options], check=True)
    return json.loads(path.read_text(encoding="utf-8"))


# What a change does

BASE: dict[str, Any] = {
    "$id": "urn:orderflow:Thing:v1",
    "x-type": "com.example.orderflow.Thing.v1",
    "x-category": "order",
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {
                "sku": {"type": "string", "pattern": "^[A-Z]+$"},
                "quantity": {"type": "integer", "minimum": 1},
            },
            "required": ["sku"],
        },
        "Node": {
            "type": "object",
            "properties": {
                "label": {"type": "string", "maxLength": 9},
                "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
        },
    },
    "title": "Thing",
    "type": "object",
    "properties": {
        "id": {"type": "string", "maxLength": 200},
        "amount": {"type": "integer", "minimum": 0, "maximum": 1000},
        "tier": {"enum": ["low", "high"], "type": "string"},
        "note": {"type": "string", "default": ""},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "minItems": 1},
        "values": {"type": "object", "additionalProperties": {"type": "string"}},
        "one": {"const": 1, "type": "integer"},
        "tree": {"$ref": "#/$defs/Node"},
    },
    "required": ["id", "amount", "tier", "lines"],
}


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set what is at a path; None removes it."""

    def change(schema: dict[str, Any]) -> None:
        *way, last = path.split("/")
        for name in way:
            schema = schema[name]
        if value is None:
            del schema[last]
        else:
            schema[last] = value

    return change


def both(*changes: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Several changes that are one."""

    def change(schema: dict[str, Any]) -> None:
        for each in changes:
            each(schema)

    return change


REQUIRED = ["id", "amount", "tier", "lines"]
CHANGES: list[tuple[str, Callable[[dict[str, Any]], None], str, str]] = [
    ("a field that may be missing comes", put("properties/new", {"type": "string"}), "full", "/new"),
    ("a field that may be missing goes", put("properties/note", None), "full", "/note"),
    ("another default", put("properties/note/default", "x"), "full", "/note"),
    (
        "a field that must be there comes",
        both(put("properties/new", {"type": "string"}), put("required", [*REQUIRED, "new"])),
        "forward",
        "/new",
    ),
    (
        "a field that had to be there goes",
        both(put("properties/tier", None), put("required", ["id", "amount", "lines"])),
        "backward",
        "/tier",
    ),
    ("a field may be missing now", put("required", ["id", "amount", "tier"]), "backward", "/lines"),
    ("a field must be there now", put("required", [*REQUIRED, "note"]), "forward", "/note"),
    ("a longer text", put("properties/id/maxLength", 300), "backward", "/id"),
    ("a shorter text", put("properties/id/maxLength", 100), "forward", "/id"),
    ("any length", put("properties/id/maxLength", None), "backward", "/id"),
    ("a lower bound falls", put("properties/amount/minimum", -5), "backward", "/amount"),
    ("a lower bound rises", put("properties/amount/minimum", 5), "forward", "/amount"),
    ("a new bound", put("properties/note/minLength", 1), "forward", "/note"),
    ("a new value of an enumeration", put("properties/tier/enum", ["low", "high", "top"]), "backward", "/tier"),
    ("a value of an enumeration goes", put("properties/tier/enum", ["low"]), "forward", "/tier"),
    ("other values", put("properties/tier/enum", ["low", "top"]), "breaking", "/tier"),
    ("the same values in another order", put("properties/tier/enum", ["high", "low"]), "full", "/tier"),
    ("any number for whole ones", put("properties/amount/type", "number"), "backward", "/amount"),
    ("text for a number", put("properties/amount/type", "string"), "breaking", "/amount"),
    ("anything for a text", put("properties/id/type", None), "backward", "/id"),
    (
        "null comes",
        put("properties/note", {"anyOf": [{"type": "string"}, {"type": "null"}], "default": ""}),
        "backward",
        "/note",
    ),
    ("null goes", put("properties/maybe", {"type": "string"}), "forward", "/maybe"),
    (
        "one of two alternatives is another",
        put("properties/maybe/anyOf", [{"type": "integer"}, {"type": "null"}]),
        "breaking",
        "/maybe/anyOf",
    ),
    ("within a list", put("$defs/Line/properties/quantity/minimum", 2), "forward", "/lines/[]/quantity"),
    ("another pattern", put("$defs/Line/properties/sku/pattern", "^[a-z]+$"), "breaking", "/lines/[]/sku"),
    ("no pattern", put("$defs/Line/properties/sku/pattern", None), "backward", "/lines/[]/sku"),
    ("an empty list", put("properties/lines/minItems", None), "backward", "/lines"),
    (
        "a field that had to be there is called otherwise",
        both(
            put("properties/amount", None),
            put("properties/sum", {"type": "integer", "minimum": 0, "maximum": 1000}),
            put("required", ["id", "sum", "tier", "lines"]),
        ),
        "breaking",
        "/amount",
    ),
    (
        "a field within a list is called otherwise",
        both(
            put("$defs/Line/properties/sku", None),
            put("$defs/Line/properties/product", {"type": "string", "pattern": "^[A-Z]+$"}),
            put("$defs/Line/required", ["product"]),
        ),
        "breaking",
        "/lines/[]/sku",
    ),
    (
        "a required field within a list comes",
        both(put("$defs/Line/properties/new", {"type": "string"}), put("$defs/Line/required", ["sku", "new"])),
        "forward",
        "/lines/[]/new",
    ),
    ("a field within a list may be missing", put("$defs/Line/required", []), "backward", "/lines/[]/sku"),
    ("a bound of a list", put("properties/lines/maxItems", 9), "forward", "/lines"),
    ("other values in a map", put("properties/values/additionalProperties/type", "integer"), "breaking", "/values/*"),
    ("one value of two", put("properties/tier", {"const": "low", "type": "string"}), "forward", "/tier"),
    ("one value for another", put("properties/one/const", 2), "breaking", "/one"),
    ("no other fields", put("additionalProperties", False), "forward", ""),
    ("within what holds itself", put("$defs/Node/properties/label/maxLength", 99), "backward", "/tree/label"),
    ("a limit that is not included", put("properties/amount/exclusiveMinimum", 3), "forward", "/amount"),
    ("within a map", put("properties/values/additionalProperties/maxLength", 9), "forward", "/values/*"),
    ("another category: no filter lets it through", put("x-category", "answer"), "breaking", ""),
    ("what this tool does not know", put("properties/id/contentEncoding", "base64"), "breaking", "/id"),
]


@pytest.mark.parametrize(("change", "kind", "path"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_a_change_is_classed_with_its_place_and_reason(
    change: Callable[[dict[str, Any]], None], kind: str, path: str
) -> None:
    new = copy.deepcopy(BASE)
    change(new)
    [difference] = compare.contracts({"Thing.v1": BASE}, {"Thing.v1": new})
    assert (difference.kind, difference.path) == (kind, f"Thing.v1 {path}")
    assert difference.reason


@pytest.mark.parametrize("row", CHANGES, ids=[row[0] for row in CHANGES])
def test_a_change_taken_back_breaks_the_other_side(row: tuple[str, Any, str, str]) -> None:
    _, change, kind, _ = row
    new = copy.deepcopy(BASE)
    change(new)
    [difference] = compare.contracts({"Thing.v1": new}, {"Thing.v1": BASE})
    assert difference.kind == {"backward": "forward", "forward": "backward"}.get(kind, kind)


def test_what_is_said_for_people_and_how_a_definition_is_called_is_no_change() -> None:
    text = json.dumps(BASE).replace("Line", "Row").replace('"Thing"', '"Object"')
    assert compare.contracts({"Thing.v1": BASE}, {"Thing.v1": json.loads(text)}) == []


def test_two_fields_that_are_alike_are_not_taken_for_one_that_was_renamed() -> None:
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    for name in ("here", "there"):
        old["properties"][name] = new["properties"][f"{name}_id"] = {"type": "string"}
        old["required"] = [*old["required"], name]
        new["required"] = [*new["required"], f"{name}_id"]
    found = compare.contracts({"T": old}, {"T": new})
    assert sorted(each.kind for each in found) == ["backward", "backward", "forward", "forward"]


def test_a_new_event_harms_nobody_and_one_that_goes_leaves_events_that_cannot_be_read() -> None:
    [come] = compare.contracts({}, {"Thing.v2": BASE})
    [gone] = compare.contracts({"Thing.v1": BASE}, {})
    assert (come.kind, gone.kind) == ("full", "forward")


def test_an_event_that_goes_where_one_that_is_alike_comes_was_renamed() -> None:
    """But not where two are alike: then nobody knows which is which."""
    renamed = BASE | {"$id": "urn:orderflow:Object:v1", "x-type": "com.example.Object.v1"}
    [one] = compare.contracts({"Thing.v1": BASE}, {"Object.v1": renamed})
    assert (one.kind, one.path) == ("breaking", "Thing.v1")
    assert "renamed to Object.v1" in one.reason
    several = compare.contracts({"Thing.v1": BASE}, {"Object.v1": renamed, "Subject.v1": BASE})
    assert [each.kind for each in several] == ["full", "full", "forward"]


@given(st.lists(st.sampled_from(CHANGES), max_size=4, unique_by=lambda row: row[0]))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_any_changes_at_once_are_compared_without_an_error(rows: list[tuple[str, Any, str, str]]) -> None:
    new = copy.deepcopy(BASE)
    for _, change, _, _ in rows:
        try:
            change(new)
        except KeyError:  # Another change took away what this one changes.
            continue
    assert (compare.contracts({"T": BASE}, {"T": new}) == []) == (new == BASE)


# The command


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the contracts as the code says them, committed."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["contracts"]).exit_code == 0
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> None:
    """Commit everything."""
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "x"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def test_contracts_that_are_current_are_left_alone_and_others_are_named(repository: Path) -> None:
    assert CliRunner().invoke(app, ["contracts", "--check"]).exit_code == 0
    (repository / "contracts/events/OrderPlaced.v1.json").write_text("{}")
    (repository / "contracts/events/OrderEaten.v1.json").write_text("{}")
    result = CliRunner().invoke(app, ["contracts", "--check"])
    assert result.exit_code == 1
    assert "OrderPlaced.v1.json is not current" in result.stderr
    assert "OrderEaten.v1.json is not current" in result.stderr
    assert CliRunner().invoke(app, ["contracts"]).exit_code == 0
    assert CliRunner().invoke(app, ["contracts", "--check"]).exit_code == 0


def test_nothing_has_changed_since_a_commit_of_the_same_contracts(repository: Path) -> None:
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"])
    assert (result.exit_code, f"{len(EVENTS)} contracts, 0 changes" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ('"maximum": 1000000,', '"maximum": 2000000,', 1, "forward"),
        ('"currency",\n', "", 1, "forward"),
        ('"title": "Total"', '"title": "All of it"', 0, "0 changes"),
    ],
    ids=["tighter", "required", "title"],
)
def test_a_change_since_a_commit_is_told_of_and_fails_unless_it_is_full(
    repository: Path, before: str, after: str, code: int, said: str
) -> None:
    """The commit is changed, not the code: it had the contract before."""
    path = repository / "contracts/events/OrderPlaced.v1.json"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    commit(repository)
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"])
    assert result.exit_code == code
    assert said in result.stdout


def test_a_change_is_told_of_with_the_services_that_use_what_it_touches(repository: Path) -> None:
    path = repository / "contracts/events/OrderPlaced.v1.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"maxLength": 200', '"maxLength": 300'), encoding="utf-8")
    commit(repository)
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"], env={"COLUMNS": "200"})
    [token] = [line for line in result.stdout.splitlines() if "/payment_token" in line]
    [placed] = [line for line in result.stdout.splitlines() if "/placed_at" in line]
    assert token.split("\u2502")[4].strip() == "payment"
    assert placed.split("\u2502")[4].strip() == ""


def test_a_field_that_nobody_writes_yet_is_classed_though_the_workflow_does_not_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("payment: method: Field required")

    monkeypatch.setattr(consumers._Watched, "deliver", refuse)
    path = repository / "contracts/events/OrderPlaced.v1.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"currency",\n', ""), encoding="utf-8")
    commit(repository)
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "the workflow does not run with the events as they are: payment: method: Field required" in result.stderr
    [row] = [line for line in result.stdout.splitlines() if "/currency" in line]
    assert [cell.strip() for cell in row.split("\u2502")[1:5:3]] == ["forward", "payment"]
    assert CliRunner().invoke(app, ["contracts"]).exit_code == 1


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_sample_of_what_was_published_must_stay(repository: Path, harm: str) -> None:
    path = repository / "contracts/samples/OrderPlaced.v1.json"
    path.parent.mkdir()
    path.write_text('{"envelope": {"id": "1"}, "reads_as": {}}')
    commit(repository)
    path.write_text('{"envelope": {"id": "1"}, "reads_as": {"data": {}}}')
    assert CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"]).exit_code == 0
    if harm == "gone":
        path.unlink()
    else:
        path.write_text('{"envelope": {"id": "2"}}')
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "HEAD"])
    assert (result.exit_code, "contracts/samples/OrderPlaced.v1.json is another or gone" in result.stderr) == (1, True)


def test_a_commit_that_does_not_exist_is_a_wrong_usage(repository: Path) -> None:
    result = CliRunner().invoke(app, ["contracts", "check", "--against", "nowhere"])
    assert result.exit_code == 2
    assert "nowhere" in result.stderr
