"""Services beside the core's, for the length of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orderflow import services

CORE = frozenset(
    ("analytics", "email", "fraud", "inventory", "notification", "order", "payment", "push", "shipping", "sms")
)
"""The core workflow's services, of which some tests speak; others may stand beside them."""


def write_package(folder: Path, name: str, **modules: str) -> None:
    """Write a package of services into a folder: its modules' texts by name."""
    package = folder / name
    package.mkdir()
    for module, text in {"__init__": "", **modules}.items():
        (package / f"{module}.py").write_text(text, encoding="utf-8")


@contextmanager
def added(*packages: str) -> Iterator[None]:
    """With the services of further packages; afterwards they are gone again."""
    before, had = dict(services.SERVICES), list(services.PACKAGES)
    try:
        services.add(*packages)
        yield
    finally:
        services.SERVICES.clear()
        services.SERVICES.update(before)
        services.PACKAGES[:] = had
        services.find.cache_clear()
