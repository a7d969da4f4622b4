"""Reading a plan: resources by type and key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that a plan would make: ``key`` is its own under for_each, ``None`` without; ``values`` are those
    that are known before it is made."""

    address: str
    type: str
    name: str
    key: str | None
    values: dict[str, Any]


class Plan:
    """What a plan would make."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.resources = [
            Resource(
                change["address"], change["type"], change["name"], change.get("index"), change["change"]["after"] or {}
            )
            for change in document["resource_changes"]
            if change["mode"] == "managed"
        ]

    def all(self, kind: str, name: str | None = None) -> list[Resource]:
        """Every resource of a type, or those with this name among them. Never none: that would be a test of nothing."""
        found = [each for each in self.resources if each.type == kind and name in (None, each.name)]
        assert found, f"the plan has no {kind} {name or ''}"
        return found

    def by_key(self, kind: str, name: str | None = None) -> dict[str, dict[str, Any]]:
        """The values of the resources of a type by their key; those without one are left out."""
        found = {each.key: each.values for each in self.all(kind, name) if each.key is not None}
        assert len(found) == sum(each.key is not None for each in self.all(kind, name)), f"{kind}: say which name"
        return found

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The values of the only resource of a type."""
        [found] = self.all(kind, name)
        return found.values
