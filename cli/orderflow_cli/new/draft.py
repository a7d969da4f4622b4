"""What a new service is to be, checked before anything is written."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, get_args, get_origin

from orderflow import services, topology
from orderflow.envelope import FILTERABLE
from orderflow.events import CATALOGUE, Event, newest

CORE = Path("functions/shared/orderflow/services")
_EVENT = re.compile(r"[A-Z][A-Za-z0-9]{1,59}")
_TAKEN = {
    *("Annotated", "Any", "ClassVar", "Field", "Literal"),
    *("Commit", "Context", "CustomerId", "Decision", "Event", "FileArrived", "Id", "OrderId", "Service", "State"),
}
"""What stands in a service's file already."""


class Refused(ValueError):
    """A service cannot be made as it is wished for; the message says why, and what may be meant."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A service that can be made. ``subject`` is the field that names what its document is about, None where the events
    that it hears have none in common: then it is the subject of each. ``filter`` is empty where the kinds that it hears
    will do. ``customer``: whether every event that it hears names the customer."""

    name: str
    package: str
    folder: Path
    hears: tuple[type[Event], ...]
    emits: tuple[str, ...]
    filter: dict[str, tuple[str, ...]]
    subject: str | None
    customer: bool

    @property
    def state(self) -> str:
        """The name of its state's class."""
        return f"{self.name.capitalize()}State"

    @property
    def in_core(self) -> bool:
        """Whether it is one of the core's services, not one of a package beside them."""
        return self.package == services.__name__

    @property
    def test(self) -> Path:
        """Where its test is."""
        if self.in_core:
            return Path("tests/unit") / f"test_{self.name}.py"
        return Path("tests/examples") / f"test_{self.package}_{self.name}.py"

    def chosen(self, event: type[Event]) -> dict[str, str]:
        """The fields of an event that the filter asks for, with a value that it lets through."""
        return {name: values[0] for name, values in self.filter.items() if name in event.model_fields}

    def cause_of(self, event: str) -> type[Event]:
        """The heard event that lets it emit another: the first the first, and so on; the last all that are left."""
        return self.hears[min(self.emits.index(event), len(self.hears) - 1)]


def draft(
    name: str,
    hears: Sequence[str],
    emits: Sequence[str],
    filters: Sequence[str],
    into: Path | None,
    root: Path,
) -> Draft:
    """What is wished for, if it can be had. ``filters`` are texts such as ``tier=high,elevated``. Adds the services of
    ``into`` to this process. Raises `Refused`."""
    folder, package = _home(into, root)
    _check_name(name)
    heard = _heard(hears)
    _check_emits(emits, name)
    return Draft(
        name=name,
        package=package,
        folder=folder,
        hears=heard,
        emits=tuple(emits),
        filter=_filter(filters, heard, name),
        subject=_subject(heard),
        customer=all("customer_id" in event.model_fields for event in heard),
    )


def _home(into: Path | None, root: Path) -> tuple[Path, str]:
    """The folder of the service, and its package. Services that are there already are added."""
    if into is None or (root / into).resolve() == (root / CORE).resolve():
        return CORE, services.__name__
    folder = (root / into).resolve()
    package = folder.name
    if not package.isidentifier() or keyword.iskeyword(package):
        raise Refused(f"{into}: {package!r} cannot be a package: small letters, digits and _")
    if str(folder.parent) not in {str(Path(entry).resolve()) for entry in sys.path}:
        raise Refused(
            f"{into}: Python does not import from {folder.parent}; take a folder of examples/, or set PYTHONPATH"
        )
    if folder.exists():
        try:
            services.add(package)
        except services.BadPackage as error:
            raise Refused(str(error)) from None
    return (folder.relative_to(root) if folder.is_relative_to(root) else folder), package


def _check_name(name: str) -> None:
    if not topology.NAME.fullmatch(name):
        plain = re.sub(r"[^a-z0-9]", "", name.lower()).lstrip("0123456789")[:20]
        hint = f"; {plain!r} would do" if topology.NAME.fullmatch(plain) else ""
        raise Refused(f"{name!r} cannot be a service's name: a word of 2 to 20 small letters and digits{hint}")
    if name in services.SERVICES:
        raise Refused(f"there is a service {name} already: {services.SERVICES[name]}")
    declared = topology.build()
    categories = {event.category for event in services.catalogue()}
    if keyword.iskeyword(name) or hasattr(builtins, name):
        raise Refused(f"{name!r} cannot be a service's name: it is a word of Python's")
    for taken, what in (
        (declared["services"], "a function"),
        (declared["collections"], "a collection of documents"),
        (categories, "a category of events"),
    ):
        if name in taken:
            raise Refused(f"{name!r} cannot be a service's name: {what} has it already")


def _heard(names: Sequence[str]) -> tuple[type[Event], ...]:
    known = sorted({event.kind() for event in services.catalogue()})
    if not names:
        raise Refused(f"--hears: name an event: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise Refused(f"--hears: there is no event {name!r}{_near(name, known)}")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused(f"--hears: {twice[0]} is named twice")
    return tuple(newest(name) for name in names)


def _check_emits(names: Sequence[str], service: str) -> None:
    for name in names:
        if not _EVENT.fullmatch(name) or name in _TAKEN or name == f"{service.capitalize()}State":
            raise Refused(f"--emits: {name!r} cannot be an event's name: what happened, such as PointsEarned")
        if re.search(r"V\d+$", name):
            raise Refused(f"--emits: {name}: the newest version of an event has the plain name")
        if names.count(name) > 1:
            raise Refused(f"--emits: {name} is named twice")
        owners = [each for each in services.SERVICES if name in {event.kind() for event in services.find(each).emits}]
        if owners:
            raise Refused(f"--emits: {name} is {owners[0]}'s: a service emits events of its own")
        if name in {kind for kind, _ in CATALOGUE}:
            raise Refused(f"--emits: {name} is there already: {newest(name).__module__}")


def _filter(texts: Sequence[str], heard: tuple[type[Event], ...], name: str) -> dict[str, tuple[str, ...]]:
    """The filter, checked so that it lets through what the service hears."""
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        attribute, _, listed = text.partition("=")
        values = tuple(dict.fromkeys(value.strip() for value in listed.split(",") if value.strip()))
        if attribute not in FILTERABLE:
            raise Refused(f"--filter {text}: brokers filter on {', '.join(FILTERABLE)}{_near(attribute, FILTERABLE)}")
        if not values or attribute in found:
            raise Refused(f"--filter {text}: once each, as in --filter tier=high,elevated")
        for event in heard:
            _check_passes(event, attribute, values, text)
        found[attribute] = values
    if found and not found.keys() & {"kind", "category"}:
        found = {"kind": tuple(sorted(event.kind() for event in heard)), **found}
    written = topology.pubsub_filter(
        {key: list(values) for key, values in found.items()} or {"kind": sorted(event.kind() for event in heard)}
    )
    if len(written.encode()) > topology.FILTER_BYTES:
        raise Refused(
            f"{name} hears too many kinds for one filter ({len(written.encode())} bytes of {topology.FILTER_BYTES}): "
            "--filter category=..., or make two services"
        )
    return found


def _check_passes(event: type[Event], attribute: str, values: tuple[str, ...], text: str) -> None:
    """Refuse a filter that keeps away an event that is heard, or that has a value that never comes."""
    fixed = {"kind": event.kind(), "category": event.category}.get(attribute)
    if fixed is not None:
        if fixed not in values:
            raise Refused(f"--filter {text}: it keeps {event.kind()} away, whose {attribute} is {fixed}")
        return
    field = event.model_fields.get(attribute)
    if field is None:
        raise Refused(
            f"--filter {text}: it keeps {event.kind()} away, which has no {attribute}; leave it out, and let decide "
            f"ignore what has another {attribute}"
        )
    known = get_args(field.annotation) if get_origin(field.annotation) is Literal else values
    for value in values:
        if value not in known:
            raise Refused(f"--filter {text}: {attribute} is one of {', '.join(known)}{_near(value, known)}")


def _subject(heard: tuple[type[Event], ...]) -> str | None:
    """The field that every event has and that one of them is about."""
    for field in ("order_id", *(event.subject_field for event in heard)):
        if all(field in event.model_fields for event in heard):
            return field
    return None


def _near(word: str, known: Sequence[str]) -> str:
    lower = {each.lower(): each for each in known}
    near = [lower[each] for each in get_close_matches(word.lower(), lower, n=3, cutoff=0.5)]
    return f"; did you mean {' or '.join(near)}?" if near else ""
