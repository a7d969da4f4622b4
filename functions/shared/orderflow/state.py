"""What a service stores of its own: models that outlive a release.

A deployment is never everywhere at once, and may be taken back: documents that the next release wrote are read and
written by this one too. So a release adds fields and changes none; a field that another one will read differently is a
new field. What it has to make of older documents is a migration, done when they are read; what it does not know it
keeps. ``schema`` in a document says how far it has been migrated, and never goes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from orderflow.ports import Document

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""From the state of one schema to that of the next. It gets what an older release may have written since, too, so it
leaves alone what is there already."""


class State(BaseModel):
    """Base of every stored state, and of what is in one."""

    model_config = ConfigDict(frozen=True, extra="allow")

    migrations: ClassVar[tuple[Migration, ...]] = ()
    """One for each schema since the first; never changed once released."""

    @classmethod
    def schema_number(cls) -> int:
        """The schema that this release writes, counted from 1."""
        return 1 + len(cls.migrations)

    @classmethod
    def of(cls, document: Document) -> Self:
        """The state in a document of this release's schema, an older or a newer one. Raises
        `pydantic.ValidationError`."""
        state = document["state"]
        for migrate in cls.migrations[document["schema"] - 1 :]:
            state = migrate(state)
        valid: Self = cls.__pydantic_validator__.validate_python(state)
        return valid

    def write(self, previous: Document | None) -> Document:
        """A document with this state, to replace ``previous``: its ``rev`` is one more."""
        schema, rev = (previous["schema"], previous["rev"]) if previous else (1, 0)
        return {
            "schema": max(schema, self.schema_number()),
            "rev": rev + 1,
            "state": self.__pydantic_serializer__.to_python(self, mode="json", exclude_none=True),
        }
