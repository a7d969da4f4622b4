"""The reference of the HTTP API, from the OpenAPI document that the API itself serves."""

from __future__ import annotations

from typing import Any

from orderflow.openapi import document
from orderflow_cli.docs.text import table

HEAD = """# HTTP API

{made}

`GET /openapi.json` serves the same as OpenAPI 3.1. Every path but `/health` and `/openapi.json` wants a bearer token of
your identity provider (`Authorization: Bearer ...`). Errors are `application/problem+json` (RFC 9457). `make up` prints
a `curl` line that places an order.
"""


def page(made: str) -> str:
    """The page as Markdown."""
    api = document()
    parts = [HEAD.format(made=made)]
    for path, methods in api["paths"].items():
        parts += [_operation(method.upper(), path, said) for method, said in methods.items()]
    parts.append("## Bodies\n")
    for name, schema in sorted(api["components"]["schemas"].items()):
        parts.append(f"### {name}\n\n{_text(schema)}{_fields(schema)}")
    return "\n".join(parts)


def _operation(method: str, path: str, said: dict[str, Any]) -> str:
    text = f"## {method} {path}\n\n{said['summary']}.\n"
    given = said.get("parameters", [])
    if given:
        rows = [[f"`{each['name']}`", each["in"], _type(each["schema"]), _text(each).strip()] for each in given]
        text += f"\n{table('parameter | in | type | meaning', rows)}"
    if "requestBody" in said:
        text += f"\nBody: {_body(said['requestBody'])}.\n"
    rows = [[code, answer.get("description", ""), _body(answer)] for code, answer in said["responses"].items()]
    return f"{text}\n{table('answer | meaning | body', rows)}"


def _body(said: dict[str, Any]) -> str:
    return ", ".join(_type(each["schema"]) for each in said.get("content", {}).values() if "schema" in each)


def _fields(schema: dict[str, Any]) -> str:
    wanted = set(schema.get("required", ()))
    rows = [
        [f"`{name}`", _type(each), "yes" if name in wanted else "no", _text(each).strip()]
        for name, each in schema.get("properties", {}).items()
    ]
    return table("field | type | required | meaning", rows) if rows else f"{_type(schema)}\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join("none" if each == {"type": "null"} else _type(each) for each in schema[several])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kind = schema.get("type", "any")
    said = [str(kind if isinstance(kind, str) else " or ".join(kind))]
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    if low is not None or high is not None:
        length = " characters" if kind == "string" else ""
        bounds = f"{low} to {high}" if low is not None and high is not None else f"up to {high}"
        said.append((bounds if high is not None else f"at least {low}") + length)
    if "format" in schema:
        said.append(str(schema["format"]))
    return ", ".join(said)


def _text(schema: dict[str, Any]) -> str:
    words = " ".join(schema.get("description", "").split()).replace("``", "`")
    return f"{words}\n\n" if words else ""
