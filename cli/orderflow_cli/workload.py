"""The demo's world: a catalogue, stock, customers, and a varied stream of orders from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

CATALOGUE = {
    "TEA-GREEN": ("Green tea", 450),
    "TEA-BLACK": ("Black tea", 390),
    "CUP": ("Cup", 1_200),
    "POT": ("Teapot", 4_900),
    "KETTLE": ("Kettle", 14_500),
    "SAMOVAR": ("Samovar", 61_000),
    "TEA-HOUSE": ("Tea house, flat-packed", 249_000),
    "LAST-PIECES": ("Discontinued cup", 800),
}
"""Names and prices in cents, by SKU."""

CURRENCY = "EUR"
SCARCE = "LAST-PIECES"
_PLENTY = 100_000


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of the demo, with the contact data that go into the customer document."""

    id: str
    contact: dict[str, Any]


def _person(customer_id: str, name: str, city: str, country: str) -> Person:
    number = sum(customer_id.encode())
    contact = {
        "name": name,
        "address": {"street": f"Teegasse {number % 90 + 1}", "city": city, "postcode": "10115", "country": country},
        "email": f"{customer_id}@example.com",
        "sms": f"+49301{number:06d}",
        "push": f"device-{customer_id}",
    }
    return Person(customer_id, contact)


PEOPLE = (
    _person("ada", "Ada Löwe", "Berlin", "DE"),
    _person("björn", "Björn Ångström", "Malmö", "SE"),
    _person("chiyo", "千代 田中", "京都", "JP"),
    _person("dorota", "Dorota Żółć", "Łódź", "PL"),
)
HERMIT = _person("edmond", "Edmond from the South Pole", "Amundsen-Scott", "AQ")
"""The carrier does not go to this customer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One order to place. ``expect`` are the ways in which it may rightly end; ``again`` sends it twice under one key,
    ``cancel`` cancels it at once."""

    customer: str
    body: dict[str, Any]
    key: str
    expect: tuple[str, ...] = ("shipped",)
    again: bool = False
    cancel: bool = False
    story: str = "ordinary"


@dataclass(frozen=True, slots=True)
class Workload:
    """What a demo run places on every cloud: the same on each."""

    wishes: tuple[Wish, ...]
    stock: dict[str, int] = field(default_factory=dict)

    def catalogue_csv(self) -> bytes:
        """The catalogue as the file that is dropped."""
        rows = [f"{sku},{name.replace(',', ' -')},{price},{CURRENCY}" for sku, (name, price) in CATALOGUE.items()]
        return "\n".join(["sku,name,unit_price,currency", *rows, ""]).encode()

    def stock_csv(self) -> bytes:
        """The stock as the file that is dropped."""
        return "\n".join(["sku,quantity", *(f"{sku},{units}" for sku, units in self.stock.items()), ""]).encode()


def generate(orders: int, seed: int) -> Workload:
    """A varied workload: mostly ordinary orders, and of every hundred some of each story that goes another way."""
    random = Random(seed)  # noqa: S311  a demo must be repeatable, not secret
    wishes = tuple(_wish(random, number, seed) for number in range(orders))
    scarce = sum(wish.story == "scarce" for wish in wishes)
    return Workload(wishes, {**dict.fromkeys(CATALOGUE, _PLENTY), SCARCE: max(1, scarce // 2)})


_STORIES = (
    # Of the first nine orders one is of each story, so that a short demo shows them too; then by weight.
    ("ordinary", 48),
    ("refused", 10),
    ("scarce", 10),
    ("cancelled", 8),
    ("valuable", 10),
    ("repeated", 8),
    ("hermit", 3),
    ("suspicious", 2),
    ("lost-answer", 0),  # Three of them within a minute would open the gateway's circuit breaker.
)


def _wish(random: Random, number: int, seed: int) -> Wish:
    names = [name for name, _ in _STORIES]
    chosen = names[number] if number < len(names) else random.choices(names, [weight for _, weight in _STORIES])[0]
    person = random.choice(PEOPLE)
    key = f"demo-{seed}-{number}"
    lines = [
        {"sku": sku, "quantity": random.randint(1, 4)}
        for sku in random.sample(["TEA-GREEN", "TEA-BLACK", "CUP", "POT"], random.randint(1, 3))
    ]
    body: dict[str, Any] = {"lines": lines, "payment_token": "tok_visa"}
    match chosen:
        case "refused":
            body["payment_token"] = "tok_refused"  # noqa: S105  a reference that the simulated gateway refuses
            return Wish(person.id, body, key, ("payment-failed",), story=chosen)
        case "scarce":
            body["lines"] = [{"sku": SCARCE, "quantity": 1}]
            return Wish(person.id, body, key, ("shipped", "out-of-stock"), story=chosen)
        case "cancelled":
            return Wish(person.id, body, key, ("shipped", "customer"), cancel=True, story=chosen)
        case "valuable":
            body["lines"] = [*lines, {"sku": "SAMOVAR", "quantity": random.randint(1, 3)}]
            return Wish(person.id, body, key, story=chosen)
        case "repeated":
            return Wish(person.id, body, key, again=True, story=chosen)
        case "hermit":
            return Wish(HERMIT.id, body, key, ("shipment-refused",), story=chosen)
        case "suspicious":
            body["lines"] = [{"sku": "TEA-HOUSE", "quantity": 6}]
            return Wish(person.id, body, key, ("shipped", "fraud-suspected"), story=chosen)
        case "lost-answer":
            body["payment_token"] = "tok_lost"  # noqa: S105
            return Wish(person.id, body, key, story=chosen)
    return Wish(person.id, body, key)


def read_file(path: Path, seed: int) -> tuple[Workload, list[str]]:
    """Orders from a file of JSON lines, each an order request as the API takes it, with ``customer`` beside it if it is
    not to be the first of `PEOPLE`. Answers the workload, and a line for each order that was refused, and why."""
    wishes: list[Wish] = []
    refused: list[str] = []
    for number, line in _numbered(path):
        try:
            body = json.loads(line.decode())
            customer = body.pop("customer", PEOPLE[0].id)
            if not isinstance(customer, str):
                raise TypeError
        except (ValueError, AttributeError, TypeError, RecursionError):
            refused.append(f"line {number}: it is no JSON object with an order request")
            continue
        anything = ("shipped", "payment-failed", "out-of-stock", "customer", "shipment-refused", "fraud-suspected")
        wishes.append(Wish(customer, body, f"file-{seed}-{number}", anything, story=f"line {number}"))
    return Workload(tuple(wishes), dict.fromkeys(CATALOGUE, _PLENTY)), refused


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            yield number, line
