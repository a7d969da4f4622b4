"""The services, one file each: every module of this package holds one as ``SERVICE``, but for those whose names begin
with an underscore, which several share. To add one, write its file: the topology, and with it every cloud, follows.

``ORDERFLOW_SERVICES_PACKAGES`` names further packages whose modules are services as well, with commas between."""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Any

from orderflow.events import CATALOGUE, CORE, Event
from orderflow.service import Service

VARIABLE = "ORDERFLOW_SERVICES_PACKAGES"

SERVICES: dict[str, str] = {}
"""Modules by service name. A function imports its own service only."""
PACKAGES: list[str] = []
"""The further packages that were added."""


class BadPackage(ValueError):
    """A package of services cannot be added: there is none of that name, or a service of it is there already."""


def add(*packages: str) -> None:
    """Add the services of further packages; harmless for one that was added. Raises `BadPackage`."""
    for package in packages:
        if package in PACKAGES:
            continue
        spec = find_spec(package) if package.isidentifier() else None
        if spec is None or spec.submodule_search_locations is None:
            raise BadPackage(f"{package!r} is no package of services that can be imported")
        found = _modules(package, spec.submodule_search_locations)
        if twice := sorted(found.keys() & SERVICES.keys()):
            raise BadPackage(f"{package}: there is a service {twice[0]} already, {SERVICES[twice[0]]}")
        SERVICES.update(found)
        PACKAGES.append(package)


def named(text: str) -> list[str]:
    """The packages that a value of `VARIABLE` names."""
    return [name.strip() for name in text.split(",") if name.strip()]


@cache
def find(name: str) -> Service[Any]:
    """A service by name. Raises `KeyError` for an unknown one."""
    service: Service[Any] = import_module(SERVICES[name]).SERVICE
    return service


def build_models(name: str | None) -> None:
    """Build the validators of the events that a service hears and emits, which else the first of each kind waits for.
    Does nothing for what is no service, such as the API."""
    if name in SERVICES:
        service = find(name)
        for event in (*service.hears, *service.emits):
            event.model_rebuild()


def catalogue() -> list[type[Event]]:
    """Every event and version by name: the core's, and those that services declare beside themselves. Imports every
    service."""
    for name in SERVICES:
        find(name)
    ours = (__name__, *PACKAGES)
    return [
        event for _, event in sorted(CATALOGUE.items()) if event in CORE or event.__module__.rpartition(".")[0] in ours
    ]


def _modules(package: str, folders: Any) -> dict[str, str]:
    names = sorted(module.name for module in iter_modules(folders) if not module.name.startswith("_"))
    return {name: f"{package}.{name}" for name in names}


SERVICES.update(_modules(__name__, __path__))
add(*named(os.environ.get(VARIABLE, "")))
