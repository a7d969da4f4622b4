"""HTTP as the API sees it, whoever serves it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. ``headers`` has lower-case names; ``path`` is decoded and has no query."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


_SEGMENTS = frozenset({"health", "openapi.json", "orders", "cancel", "customers", "me", "webhooks", "stripe"})


def route(path: str) -> str:
    """A path for logs and traces, such as ``/orders/{id}``: what a caller chose is left out, whatever it is."""
    parts = [part for part in path.split("/") if part][:4]
    return "/" + "/".join(part if part in _SEGMENTS else "{id}" for part in parts)


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes
