"""What a change of an event's contract breaks.

Two questions decide: can code that knows the new contract still read every event that the old one allowed (those in
queues, dead-letter queues and the archive), and can code that knows the old contract still read every event that the
new one allows (consumers that are deployed later, or are others')?

====================  ==========================  =========================
class                 new code reads old events   old code reads new events
====================  ==========================  =========================
full                  yes                         yes
backward              yes                         no
forward               no                          yes
breaking              no                          no
====================  ==========================  =========================

Only a change that is full may be made to a version that was published; any other is a new version of the event, beside
the old one. What cannot be judged counts as breaking. Objects are open: a reader ignores fields that it does not know.
Titles, descriptions and examples are no part of a contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Schema = dict[str, Any]
Kind = Literal["full", "backward", "forward", "breaking"]

_NOTES = ("$schema", "$defs", "$ref", "title", "description", "examples", "deprecated", "$comment")
_NAMES = ("x-type", "x-category", "x-subject", "$id")
"""Keywords that say how an event is addressed."""
_OPAQUE = ("pattern", "format", "multipleOf")
"""Keywords of which nobody can say in general whether a change of them lets more or less through."""
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


@dataclass(frozen=True, slots=True)
class Difference:
    """One change: where (``OrderPlaced.v1 /lines/[]/sku``), what it does, and why."""

    path: str
    kind: Kind
    reason: str


def contracts(old: dict[str, Schema], new: dict[str, Schema]) -> list[Difference]:
    """Every change between two sets of contracts, by event name."""
    found: list[Difference] = []
    renamed = _renamed_events(old, new)
    for name in sorted((old.keys() | new.keys()) - set(renamed.values())):
        if name in renamed:
            found.append(
                Difference(name, "breaking", f"renamed to {renamed[name]}: neither knows what the other writes")
            )
        elif name not in old:
            found.append(Difference(name, "full", "a new event or version: nobody hears it who does not know it"))
        elif name not in new:
            found.append(Difference(name, "forward", "it is gone: events of it that exist can no longer be read"))
        else:
            found += _Pair(old[name], new[name]).differences(name)
    return found


def _renamed_events(old: dict[str, Schema], new: dict[str, Schema]) -> dict[str, str]:
    """Events that are gone, with the one new event that is alike but for its name, and is like no other."""

    def alike(one: Schema, other: Schema) -> bool:
        named = {"$id": None, "x-type": None}
        return not _Pair(one | named, other | named).differences("")

    gone, come = sorted(old.keys() - new.keys()), new.keys() - old.keys()
    matches = {name: [other for other in come if alike(old[name], new[other])] for name in gone}
    return _one_to_one(matches)


def _one_to_one(matches: dict[str, list[str]]) -> dict[str, str]:
    """Those with one match that is no other's."""
    taken = [other for others in matches.values() for other in others]
    return {name: others[0] for name, others in matches.items() if len(others) == 1 and taken.count(others[0]) == 1}


class _Pair:
    """Two documents that are compared; references are looked up in each one's own ``$defs``."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._open: list[tuple[str | None, str | None]] = []
        """The references that are being followed."""

    def differences(self, name: str) -> list[Difference]:
        return list(self._compare(f"{name} ", self._old, self._new))

    def _compare(self, path: str, old: Schema, new: Schema) -> Iterator[Difference]:
        pair = (old.get("$ref"), new.get("$ref"))
        if any(pair) and pair in self._open:
            return  # A definition that holds itself is being compared already.
        self._open.append(pair)
        yield from self._keywords(path, old, new)
        self._open.pop()

    def _keywords(self, path: str, old: Schema, new: Schema) -> Iterator[Difference]:
        old, new = _alike(_listed(_resolved(old, self._old)), _listed(_resolved(new, self._new)))
        if old.get("type") and new.get("type") and not _accepted("type", old["type"]) & _accepted("type", new["type"]):
            # Of two types that have no value in common, what else is said of each is no change of the other.
            yield _plain(path, "type", old["type"], new["type"])
            return
        for keyword in sorted((old.keys() | new.keys()) - set(_NOTES)):
            yield from self._keyword(path, keyword, old, new)

    def _keyword(self, path: str, keyword: str, old: Schema, new: Schema) -> Iterator[Difference]:
        before, after = old.get(keyword), new.get(keyword)
        if keyword == "properties":
            yield from self._properties(path, old, new)
        elif keyword == "required":
            yield from _required(path, old, new)
        elif keyword in ("items", "additionalProperties") and isinstance(before, dict) and isinstance(after, dict):
            yield from self._compare(f"{path}/{'[]' if keyword == 'items' else '*'}", before, after)
        elif keyword == "additionalProperties" and not (isinstance(before, dict) or isinstance(after, dict)):
            if (closed := after is False) != (before is False):
                what = (
                    "fields that are not named are not allowed" if closed else "fields that are not named are allowed"
                )
                yield Difference(path, _kind(closed, not closed), f"{what}: {_effect(closed, not closed)}")
        elif keyword in ("anyOf", "oneOf"):
            yield from self._alternatives(path, keyword, before or [], after or [])
        elif before != after:
            yield _plain(path, keyword, before, after)

    def _properties(self, path: str, old: Schema, new: Schema) -> Iterator[Difference]:
        before, after = old.get("properties", {}), new.get("properties", {})
        renamed = self._renamed(old, new)
        for one, other in renamed.items():
            yield Difference(f"{path}/{one}", "breaking", f"renamed to {other}: neither finds what the other writes")
        for name in sorted((before.keys() | after.keys()) - renamed.keys() - set(renamed.values())):
            place = f"{path}/{name}"
            if name not in before and name in new.get("required", []):
                yield Difference(place, "forward", "a new field that must be there: it is missing in events that exist")
            elif name not in before:
                yield Difference(place, "full", "a new field that may be missing")
            elif name not in after and name in old.get("required", []):
                yield Difference(place, "backward", "a field that had to be there is gone: who needs it cannot read")
            elif name not in after:
                yield Difference(place, "full", "a field that could be missing is gone")
            else:
                yield from self._compare(place, before[name], after[name])

    def _renamed(self, old: Schema, new: Schema) -> dict[str, str]:
        """Fields that had to be there and are gone, with the one new field that must be there, is alike, and is like
        no other."""
        gone = set(old.get("required", [])) - new.get("properties", {}).keys()
        come = set(new.get("required", [])) - old.get("properties", {}).keys()
        alike = {
            name: [other for other in come if self._same(old["properties"][name], new["properties"][other])]
            for name in sorted(gone)
        }
        return _one_to_one(alike)

    def _same(self, old: Schema, new: Schema) -> bool:
        return not list(self._compare("", old, new))

    def _alternatives(self, path: str, keyword: str, before: list[Schema], after: list[Schema]) -> Iterator[Difference]:
        old = {_canonical(_resolved(each, self._old)): each for each in before}
        new = {_canonical(_resolved(each, self._new)): each for each in after}
        gone, come = [old[text] for text in old.keys() - new.keys()], [new[text] for text in new.keys() - old.keys()]
        if len(gone) == len(come) == 1:
            yield from self._compare(f"{path}/{keyword}", gone[0], come[0])
        elif gone or come:
            yield _by_sets(path, keyword, gone, come)


def _required(path: str, old: Schema, new: Schema) -> Iterator[Difference]:
    """Fields that are in both contracts; those that come or go are told of with the properties."""
    before, after = set(old.get("required", [])), set(new.get("required", []))
    both = old.get("properties", {}).keys() & new.get("properties", {}).keys()
    for name in sorted((before ^ after) & both):
        if name in after:
            yield Difference(
                f"{path}/{name}", "forward", "it must be there now: it may be missing in events that exist"
            )
        else:
            yield Difference(f"{path}/{name}", "backward", "it may be missing now: who needs it cannot read")


def _plain(path: str, keyword: str, before: Any, after: Any) -> Difference:
    what = f"{keyword}: {_shown(before)} -> {_shown(after)}"
    if keyword == "default":
        return Difference(path, "full", f"{what}: what a missing field means is another")
    if keyword in _LOWER or keyword in _UPPER:
        tighter = before is None or (after is not None and (after > before) == (keyword in _LOWER))
        return Difference(path, "forward" if tighter else "backward", f"{what}: {_effect(tighter, not tighter)}")
    if keyword in ("type", "enum"):
        old, new = (None if each is None else _accepted(keyword, each) for each in (before, after))
        narrower, wider = (
            not (new is None or (old is not None and old <= new)),
            not (old is None or (new is not None and new <= old)),
        )
        return Difference(path, _kind(narrower, wider), f"{what}: {_effect(narrower, wider)}")
    if keyword in ("pattern", "format") and (before is None or after is None):
        tighter = before is None
        return Difference(path, "forward" if tighter else "backward", f"{what}: {_effect(tighter, not tighter)}")
    if keyword in _NAMES:
        return Difference(path, "breaking", f"{what}: neither recognises what the other writes")
    if keyword in _OPAQUE:
        return Difference(path, "breaking", f"{what}: which of them lets more through cannot be told")
    return Difference(path, "breaking", f"{what}: this tool cannot judge it")


def _accepted(keyword: str, value: Any) -> set[str]:
    """What a type or an enumeration lets through. Every integer is a number."""
    values = {
        str(each) if keyword == "type" else _canonical(each) for each in (value if isinstance(value, list) else [value])
    }
    return values | {"integer"} if keyword == "type" and "number" in values else values


def _by_sets(path: str, keyword: str, gone: list[Schema], come: list[Schema]) -> Difference:
    said = [
        f"{word} {', '.join(map(_canonical, each))}" for word, each in (("also", come), ("no longer", gone)) if each
    ]
    effect = _effect(bool(gone), bool(come))
    return Difference(path, _kind(bool(gone), bool(come)), f"{keyword}: {' and '.join(said)}: {effect}")


def _kind(narrower: bool, wider: bool) -> Kind:
    if narrower and wider:
        return "breaking"
    return "forward" if narrower else "backward" if wider else "full"


def _effect(narrower: bool, wider: bool) -> str:
    return {
        (True, False): "events that exist may not be accepted",
        (False, True): "who knows the old contract may not accept new events",
        (True, True): "neither lets through all that the other does",
        (False, False): "the same values",
    }[narrower, wider]


def _resolved(schema: Schema, document: Schema) -> Schema:
    """A schema with its reference followed."""
    if "$ref" not in schema:
        return schema
    target: Schema = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return _resolved({**target, **{name: value for name, value in schema.items() if name != "$ref"}}, document)


def _listed(schema: Schema) -> Schema:
    """With an only value as an enumeration of one."""
    if "const" not in schema:
        return schema
    return {**{name: value for name, value in schema.items() if name != "const"}, "enum": [schema["const"]]}


def _alike(old: Schema, new: Schema) -> tuple[Schema, Schema]:
    """Where one has alternatives, the other as the only one of its own."""
    if ("anyOf" in old) == ("anyOf" in new):
        return old, new

    def wrapped(schema: Schema) -> Schema:
        inner = {name: value for name, value in schema.items() if name not in (*_NOTES, "default")}
        return (
            schema if "anyOf" in schema else {"anyOf": [inner], **{n: schema[n] for n in ("default",) if n in schema}}
        )

    return wrapped(old), wrapped(new)


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if name not in _NOTES or name == "$ref"}
    return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
