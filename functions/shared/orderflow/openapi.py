"""The API's OpenAPI 3.1 document, made from the models that validate the requests."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from orderflow.api import LARGEST_PAGE, PAGE, Customer, OrderRequest

_TOO_MANY = {"429": "Too many changes in too little time; Retry-After says how many seconds to wait"}
_RETRY_AFTER = {"headers": {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}}
_ERROR = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def document() -> dict[str, Any]:
    """The document as a JSON object."""
    _, schemas = models_json_schema(
        [(OrderRequest, "validation"), (Customer, "validation")], ref_template="#/components/schemas/{model}"
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "orderflow", "version": "1.0.0", "description": "Place orders and follow them."},
        "security": [{"bearer": []}],
        "paths": {
            "/orders": {"post": _place(), "get": _list()},
            "/orders/{id}": {"get": _one("One of your orders with its history", 200, "OrderDetail")},
            "/orders/{id}/cancel": {
                "post": _one(
                    "Cancel a pending order", 202, "OrderSummary", {"409": "It is confirmed or shipped", **_TOO_MANY}
                )
            },
            "/customers/me": {
                "get": _operation("Your contact data", {"200": _ok("Customer")}, {"404": "Nothing is known yet"}),
                "put": {
                    **_operation(
                        "Save your contact data",
                        {"200": _ok("Customer")},
                        {
                            "400": "No JSON",
                            "409": "They are being changed by another request; try again",
                            "413": "Too large",
                            "422": "Invalid",
                            **_TOO_MANY,
                        },
                    ),
                    "requestBody": _body("Customer"),
                },
            },
            "/webhooks/stripe": {"post": _webhook()},
            "/health": {"get": {"summary": "Liveness", "security": [], "responses": {"200": {"description": "Up"}}}},
            "/openapi.json": {
                "get": {"summary": "This document", "security": [], "responses": {"200": {"description": "OpenAPI"}}}
            },
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": {**schemas["$defs"], **_RESPONSES},
        },
    }


def _place() -> dict[str, Any]:
    operation = _operation(
        "Place an order",
        {"202": _ok("OrderSummary", "Accepted; follow it under the Location")},
        {
            "400": "No JSON",
            "409": "The Idempotency-Key was used for another order",
            "413": "Too large",
            "422": "Invalid, not in the catalogue, or another total than the client gave",
            **_TOO_MANY,
        },
    )
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        "description": "The same key and body give the same order.",
    }
    return {**operation, "parameters": [key], "requestBody": _body("OrderRequest")}


def _webhook() -> dict[str, Any]:
    operation = _operation(
        "Stripe tells of a refund that failed or of a dispute",
        {"200": {"description": "Noted, known already, or no matter of ours"}},
        {
            "400": "Not signed by Stripe within five minutes, or no event of its API",
            "404": "Stripe's webhook is not switched on here",
            "409": "The order is being changed by another request; tell it again",
            "413": "Too large",
        },
    )
    del operation["responses"]["401"]
    header = {"name": "Stripe-Signature", "in": "header", "required": True, "schema": {"type": "string"}}
    event = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {**operation, "security": [], "parameters": [header], "requestBody": event}


def _list() -> dict[str, Any]:
    limit = {"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE, "default": PAGE}
    return {
        **_operation("Your orders, newest first", {"200": _ok("OrderPage")}, {"400": "Bad page"}),
        "parameters": [
            {"name": "limit", "in": "query", "schema": limit},
            {"name": "cursor", "in": "query", "schema": {"type": "string"}},
        ],
    }


def _one(summary: str, status: int, schema: str, errors: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        **_operation(summary, {str(status): _ok(schema)}, {"404": "You have no such order", **(errors or {})}),
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
    }


def _operation(summary: str, good: dict[str, Any], bad: dict[str, str]) -> dict[str, Any]:
    bad = {
        "401": "No valid bearer token",
        **bad,
        "500": "It failed; it is safe to send it again",
        "503": "Try again in a moment",
    }
    errors = {status: {"description": text, **_ERROR} for status, text in bad.items()}
    if "429" in errors:
        errors["429"] |= _RETRY_AFTER
    return {"summary": summary, "responses": {**good, **errors}}


def _ok(schema: str, description: str = "OK") -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _body(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"required": True, "content": content}


_SUMMARY = {
    "order_id": {"type": "string"},
    "status": {"enum": ["pending", "confirmed", "shipped", "cancelled"]},
    "closed": {"type": "boolean", "description": "Nothing more will happen to the order"},
    "total": {"type": "integer", "description": "Minor units of the currency"},
    "currency": {"type": "string"},
    "placed_at": {"type": "string", "format": "date-time"},
    "reason": {"type": "string"},
    "links": {"type": "object", "additionalProperties": {"type": "string"}},
}

_RESPONSES: dict[str, Any] = {
    "OrderSummary": {"type": "object", "required": ["order_id", "status", "total", "currency"], "properties": _SUMMARY},
    "OrderDetail": {
        "type": "object",
        "required": ["order_id", "status", "lines", "history"],
        "properties": {
            **_SUMMARY,
            "tracking": {"type": ["string", "null"]},
            "lines": {"type": "array", "items": {"type": "object"}},
            "history": {"type": "array", "items": {"type": "object"}},
        },
    },
    "OrderPage": {
        "type": "object",
        "required": ["orders", "next_cursor"],
        "properties": {
            "orders": {"type": "array", "items": {"$ref": "#/components/schemas/OrderSummary"}},
            "next_cursor": {"type": ["string", "null"]},
        },
    },
    "Problem": {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    },
}
