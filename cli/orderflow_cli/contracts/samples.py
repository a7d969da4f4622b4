"""A sample of any event: what was published once where ``contracts/samples`` has it, else made of its JSON Schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from orderflow.events import Event

FOLDER = Path("contracts") / "samples"
_TEXTS = ("one", "1", "EUR", "SKU-1", "2026-11-21T12:00:00.000Z", "0" * 64, "a")
"""What is tried where a text has a pattern."""


class NoSample(ValueError):
    """No sample of an event can be made; the message says where to write one."""


def data(model: type[Event], root: Path, **fields: Any) -> dict[str, Any]:
    """The data of a sample as a JSON object, some fields of which may be given. Raises `NoSample`."""
    name = f"{model.kind()}.v{model.version}"
    published = root / FOLDER / f"{name}.json"
    if published.is_file():
        made = json.loads(published.read_text(encoding="utf-8"))["envelope"]["data"]
    else:
        schema = model.model_json_schema()
        made = _made(schema, schema.get("$defs", {}))
    made |= fields
    try:
        model.model_validate(made)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise NoSample(f"no sample of {name} can be made for its field {place}: write {FOLDER}/{name}.json") from None
    return {name: made[name] for name in made if name in model.model_fields}


def _made(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A value that a schema allows; the smallest number, one item of a list, and no field that need not be there."""
    if "$ref" in schema:
        return _made(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _made(schema[several][0], definitions)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", ())
            return {
                name: _made(each, definitions) for name, each in schema.get("properties", {}).items() if name in wanted
            }
        case "array":
            return [_made(schema["items"], definitions)] if "items" in schema else []
        case "integer" | "number":
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "null":
            return None
    texts = (*_TEXTS, "x" * schema.get("minLength", 1))
    return next((text for text in texts if _fits(text, schema)), _TEXTS[0])


def _fits(text: str, schema: dict[str, Any]) -> bool:
    long_enough = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
    return long_enough and re.search(schema.get("pattern", ""), text) is not None
