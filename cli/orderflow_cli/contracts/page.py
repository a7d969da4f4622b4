"""The catalogue as a page for people, ``docs/events.md``: made of the contracts, the services' declarations, what was
seen of their use, and the samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orderflow.events import Event, newest
from orderflow_cli.contracts.consumers import Uses, users

PAGE = "docs/events.md"

_HEAD = """# Events

Everything that travels on the topic, generated from the code: `orderflow contracts` writes this page. Each is a
[CloudEvent](https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md); below is what its `data` hold. It may
come twice, late and in any order. "Used by" are the services that read a field, as seen when orders of every kind went
through the workflow; what nobody uses may be used by others. How to change an event: [contracts](contracts.md).
"""


def build(
    models: list[type[Event]], schemas: dict[str, dict[str, Any]], senders: dict[str, list[str]], uses: Uses
) -> str:
    """The page: the newest version of each event in full, older ones by their schemas. ``schemas`` and ``senders`` are
    by event and version, ``senders`` being the services that emit it."""
    current = [model for model in models if newest(model.kind()) is model]
    parts = [_HEAD, *_overview(current, senders, uses)]
    for model in current:
        versions = [each for each in models if each.kind() == model.kind()]
        parts.append("\n".join(_event(model, versions, schemas, senders, uses)))
    return "\n".join(parts)


def _overview(models: list[type[Event]], senders: dict[str, list[str]], uses: Uses) -> Iterator[str]:
    yield "| event | version | sent by | heard by |\n|---|---|---|---|"
    for model in models:
        name = _name(model)
        heard = [service for service, events in uses.items() if name in events]
        link = f"[{model.kind()}](#{model.kind().lower()})"
        yield f"| {link} | {model.version} | {_listed(senders.get(name, []))} | {_listed(heard)} |"
    yield ""


def _event(
    model: type[Event],
    versions: list[type[Event]],
    schemas: dict[str, dict[str, Any]],
    senders: dict[str, list[str]],
    uses: Uses,
) -> Iterator[str]:
    name = _name(model)
    schema = schemas[name]
    yield f"## {model.kind()}\n"
    yield " ".join(schema["description"].replace("``", "`").split()) + "\n"
    yield f"Type `{model.type_name()}`, category `{model.category}`, subject `{model.subject_field}`."
    for each in versions:
        link = f"[version {each.version}](../contracts/events/{_name(each)}.json)"
        sent = _listed(senders.get(_name(each), [])) or "nobody any more; it is read as the newest"
        yield f"{link}: sent by {sent}."
    yield "\n| field | type | limits | meaning | used by |\n|---|---|---|---|---|"
    for place, field, required in _fields(schema, schema, ""):
        limits = "; ".join([*_limits(field), *([] if required else ["may be missing"])])
        used = _listed(users([uses], name, place)) or "-"
        yield f"| `{place.removeprefix('/')}` | {_type(field)} | {limits} | {field.get('description', '')} | {used} |"
    sample = Path(f"contracts/samples/{name}.json")
    if sample.is_file():
        data = json.loads(sample.read_text(encoding="utf-8"))["envelope"]["data"]
        yield f"\n```json\n{json.dumps(data, indent=2, ensure_ascii=False)}\n```"
    yield ""


def _fields(schema: dict[str, Any], document: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every field with its place, and whether it must be there; those of objects in lists after them."""
    for name, found in schema.get("properties", {}).items():
        field = _resolved(found, document)
        place = f"{path}/{name}"
        yield place, field, name in schema.get("required", [])
        if field.get("type") == "array":
            yield from _fields(_resolved(field["items"], document), document, f"{place}/[]")
        else:
            yield from _fields(field, document, place)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    return {**document["$defs"][schema["$ref"].removeprefix("#/$defs/")], **schema}


def _type(field: dict[str, Any]) -> str:
    match field:
        case {"enum": _}:
            return "one of"
        case {"anyOf": alternatives}:
            return " or ".join(_type(each) for each in alternatives)
        case {"type": "array"}:
            return f"list of {_type(field['items'])}"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"object of {_type(values)}"
    return str(field.get("type", "object"))


def _limits(field: dict[str, Any]) -> Iterator[str]:
    if "enum" in field:
        yield ", ".join(f"`{each}`" for each in field["enum"])
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ):
        if low in field and high in field:
            yield f"{field[low]:,} to {field[high]:,}{unit}"
        elif low in field:
            yield f"at least {field[low]:,}{unit}"
        elif high in field:
            yield f"at most {field[high]:,}{unit}"
    if "pattern" in field:
        yield f"`{field['pattern']}`".replace("|", "\\|")


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def _name(model: type[Event]) -> str:
    return f"{model.kind()}.v{model.version}"
