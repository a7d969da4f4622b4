"""Files dropped in the object store: ``stock/...`` brings stock, ``catalogue/...`` brings prices; CSV or JSON lines. Of
a file in another folder its event is published, where a service hears of that folder (`orderflow.events.FileArrived`).

Every row is checked alone: good ones are loaded, bad ones are quarantined in the archive bucket with the reason. A
file is known by its name and content, a row by its place in it: the same file dropped twice, or a notification
delivered twice, is one arrival. Stock rows go through a receipt each (`RECEIPTS`), so that a crash between any two
writes counts none twice."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal
from zlib import crc32

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orderflow import log
from orderflow.envelope import derived_id, first_error, rfc3339
from orderflow.events import Currency, Event, FileArrived, Quantity, Sku, StockReplenished
from orderflow.keys import safe_key
from orderflow.ports import Conflict, Stored, Unavailable
from orderflow.processing import Done, GiveBack, Outcome, Refused, Retry, Shell
from orderflow.record import Cause
from orderflow.redact import said
from orderflow.service import Change, Changes, Commit, Context, Decision, Fail, Intend, Limits, LookFirst, Service
from orderflow.service import Outcome as EffectOutcome
from orderflow.services import SERVICES, find
from orderflow.services.inventory import STOCK, Stock, stock_key
from orderflow.settings import Settings
from orderflow.state import State
from orderflow.steps import Get, Put, ReadDrop, Steps, WriteArchive

CATALOGUE = "catalogue"
MAX_BYTES = 16 * 1024 * 1024
"""Larger files are refused: a function loads the whole file."""
ROWS_REMEMBERED = 50
"""How many rows of catalogue files a price's document remembers."""


class StockRow(BaseModel):
    """A row of a stock file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    quantity: Quantity


class CatalogueRow(BaseModel):
    """A row of a catalogue file: ``unit_price`` in minor units of ``currency``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Sku
    name: str = Field(min_length=1, max_length=200)
    unit_price: int = Field(ge=0, le=100_000_000)
    currency: Currency


class Arrival(Event):
    """The command to count one stock row; it is no event and is never published."""

    category: ClassVar[str]
    subject_field: ClassVar[str] = "row_id"
    row_id: str
    sku: Sku
    quantity: Quantity


class Price(State):
    """An article of the catalogue, as the last row about it has it."""

    sku: Sku
    name: str
    unit_price: int
    currency: Currency


class Receipt(State):
    """What became of one stock row."""

    status: Literal["pending", "applied"]
    sku: Sku
    quantity: Quantity
    shards: tuple[int, ...]
    """Units for each shard of the SKU."""
    spread: int = 1
    """Over how many shards the SKU is spread from now on, if it is not over more."""


def _key(arrival: Arrival, _time: str) -> str:
    return safe_key(arrival.row_id)


def _decide(receipt: Receipt | None, arrival: Arrival, context: Context) -> Decision[Receipt]:
    if receipt is None:
        first = ((STOCK, stock_key(arrival.sku, 0)),)
        return LookFirst(first, lambda states: _look(_receipt(arrival, states[0] or {}, context.settings), arrival))
    return Commit(receipt) if receipt.status == "applied" else _count(receipt, arrival)


def _receipt(arrival: Arrival, first: dict[str, Any], settings: Settings) -> Receipt:
    """Which shards a row's units go to. There is a shard for every ``shard_units`` that the SKU is thought to have, by
    what its first one holds. A row that makes new ones fills these and the first, which tells of them; another one
    fills as many as it is worth, from where its id points."""
    known, units = first.get("spread", 1), arrival.quantity
    thought = known * first.get("available", 0) + units
    spread = max(known, min(thought // settings.shard_units, settings.stock_shards))
    if spread > known:
        filled = [0, *range(known, spread)]
    else:
        start = crc32(arrival.row_id.encode())
        filled = [(start + step) % spread for step in range(max(1, min(units // settings.shard_units, spread)))]
    even, more = divmod(units, len(filled))
    shares = {shard: even + (place < more) for place, shard in enumerate(filled)}
    shards = tuple(shares.get(shard, 0) for shard in range(max(filled) + 1))
    return Receipt(status="pending", sku=arrival.sku, quantity=units, shards=shards, spread=spread)


def _look(receipt: Receipt, arrival: Arrival) -> Decision[Receipt]:
    """Read the other shards too before the receipt is written: that spares each of them the fence."""
    others = [shard for shard, quantity in enumerate(receipt.shards) if quantity and shard]
    keys = tuple((STOCK, stock_key(receipt.sku, shard)) for shard in others)
    return LookFirst(keys, lambda _: _count(receipt, arrival))


def _count(receipt: Receipt, arrival: Arrival) -> Decision[Receipt]:
    changes = _each(receipt, arrival.row_id, partial(_arrive, spread=receipt.spread))
    return Intend(receipt, Changes(changes, fence=lambda own: own.status == "pending"))


def _resume(receipt: Receipt, arrival: Arrival, outcome: EffectOutcome, _context: Context) -> Decision[Receipt]:
    if isinstance(outcome, Exception):
        return Fail(f"stock declined: {outcome}")
    event = StockReplenished(sku=receipt.sku, quantity=receipt.quantity, row_id=arrival.row_id)
    return Commit(receipt.model_copy(update={"status": "applied"}), (event,))


def _after(receipt: Receipt, arrival: Arrival) -> Changes:
    """The receipt says so now: the stock need not remember the row."""
    return Changes(_each(receipt, arrival.row_id, _settle))


def _each(receipt: Receipt, row_id: str, apply: Any) -> tuple[Change, ...]:
    return tuple(
        Change(STOCK, stock_key(receipt.sku, shard), Stock, partial(apply, row_id=row_id, quantity=quantity))
        for shard, quantity in enumerate(receipt.shards)
        if quantity
    )


def _arrive(stock: Stock | None, *, row_id: str, quantity: int, spread: int) -> Stock | None:
    stock = stock or Stock()
    if row_id in stock.arriving:
        return None
    update = {
        "spread": max(stock.spread, spread),
        "available": stock.available + quantity,
        "replenished": stock.replenished + quantity,
        "arriving": {**stock.arriving, row_id: quantity},
    }
    return stock.model_copy(update=update)


def _settle(stock: Stock | None, *, row_id: str, quantity: int) -> Stock | None:
    if stock is None or row_id not in stock.arriving:
        return None
    left = {other: units for other, units in stock.arriving.items() if other != row_id}
    return stock.model_copy(update={"arriving": left})


RECEIPTS = Service(
    name="files",
    hears=(Arrival,),
    emits=(StockReplenished,),
    collection="receipts",
    state=Receipt,
    key=_key,
    unread=(Arrival,),
    decide=_decide,
    resume=_resume,
    after=_after,
    writes=(STOCK, CATALOGUE),
    limits=Limits(timeout_s=50, lock_s=300, batch_size=1, max_concurrency=2),
)


class Told(State):
    """That a file's arrival was published: the receipt holds the event."""

    file: str


ARRIVALS = Service(
    name=RECEIPTS.name,
    hears=(),
    emits=(),
    collection=RECEIPTS.collection,
    state=Told,
    key=lambda event, _time: safe_key(f"{event.sha256}.{event.file}"),
    unread=(FileArrived,),
    decide=lambda _told, event, _context: Commit(Told(file=event.file), (event,)),
)
"""One receipt a file, so that its event is the same message however often the store tells of it."""


def arrivals() -> dict[str, type[FileArrived]]:
    """By folder, the events of the files that services hear of. Imports every service."""
    heard = [event for name in SERVICES for event in find(name).hears]
    return {event.folder: event for event in heard if issubclass(event, FileArrived)}


@dataclass(slots=True)
class Loaded:
    """What became of a file: rows loaded, rows loaded before, rows quarantined."""

    name: str
    loaded: int = 0
    known: int = 0
    quarantined: int = 0


def load(shell: Shell, name: str, receives: int) -> Steps[Outcome]:
    """Load a dropped file that the broker told of ``receives`` times. A file of an unknown kind or form is quarantined
    whole; where something fails the rest of it is loaded when the broker tells of it again, later and later, so that
    its deliveries outlast an outage."""
    try:
        return (yield from _load(shell, name))
    except Exception as error:
        reason = said(error)
        expected = isinstance(error, Unavailable | Conflict | GiveBack)
        log.write("WARNING" if expected else "ERROR", "file given back", file=name, reason=reason)
        return Retry(shell.backoff(RECEIPTS, receives), reason)


def _load(shell: Shell, name: str) -> Steps[Outcome]:
    data: bytes | None = yield ReadDrop(name)
    if data is None:
        return Done("gone")
    result = Loaded(name)
    bad: list[dict[str, Any]] = []
    file_id = hashlib.sha256(name.encode() + b"\0" + data).hexdigest()[:32]
    folder = name.partition("/")[0]
    loader = {"stock": _load_stock, "catalogue": _load_price}.get(folder)
    try:
        if loader is None:
            yield from _tell(shell, folder, name, data)
            return Done("loaded")
        for number, row in _rows(name, data):
            try:
                new = yield from loader(shell, derived_id(file_id, str(number)), row)
            except ValidationError as error:
                bad.append({"row": number, "reason": first_error(error), "content": row})
            else:
                result.loaded += new
                result.known += not new
    except Refused as error:
        bad.append({"row": 0, "reason": f"{error.reason}: {error}"})
    result.quarantined = len(bad)
    if bad:
        lines = "".join(json.dumps(line, ensure_ascii=False, default=str) + "\n" for line in bad)
        # What is no Unicode came as an escape of JSON, and is written as one.
        data = lines.encode(errors="backslashreplace")
        yield WriteArchive(f"quarantine/{name}.{file_id[:8]}.jsonl", data)
    log.write(
        "WARNING" if bad else "INFO",
        "file loaded",
        file=name,
        loaded=result.loaded,
        known=result.known,
        quarantined=result.quarantined,
    )
    return Done("loaded")


def _tell(shell: Shell, folder: str, name: str, data: bytes) -> Steps[None]:
    """Publish the event of a file. Raises `Refused` where nobody hears of its folder, or it can have no event."""
    known = arrivals()
    if folder not in known:
        raise Refused("unknown-folder", f"files belong into {', '.join(sorted({*known, 'catalogue', 'stock'}))}")
    _check_size(data)
    try:
        event = known[folder](file=name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
    except ValidationError as error:
        raise Refused("bad-name", first_error(error)) from None
    file_id = derived_id(event.sha256, name)
    cause = Cause(id=file_id, digest=event.sha256, correlation_id=file_id)
    yield from shell.handle(ARRIVALS, cause, event, rfc3339(shell.clock.now()))
    log.write("INFO", "file told of", file=name, event=event.kind())


def _check_size(data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise Refused("too-large", f"{len(data)} bytes; at most {MAX_BYTES}")


def _rows(name: str, data: bytes) -> Iterator[tuple[int, Any]]:
    """Rows with their numbers, from 1. Raises `Refused` where the file is no text or no table, or too large."""
    _check_size(data)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("not-utf-8", str(error)) from None
    if name.endswith((".jsonl", ".ndjson")):
        for number, line in enumerate((line for line in text.split("\n") if line.strip()), 1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, line
    else:
        reader = csv.DictReader(io.StringIO(text, newline=""))
        try:
            yield from enumerate(reader, 1)
        except csv.Error as error:
            raise Refused("malformed", f"after line {reader.line_num}: {error}") from None


def _load_stock(shell: Shell, row_id: str, row: Any) -> Steps[bool]:
    stock = StockRow.model_validate(row)
    arrival = Arrival(row_id=row_id, sku=stock.sku, quantity=stock.quantity)
    cause = Cause(id=row_id, digest=derived_id(stock.sku, str(stock.quantity)), correlation_id=row_id)
    done = yield from shell.handle(RECEIPTS, cause, arrival, rfc3339(shell.clock.now()))
    return done.note != "duplicate"


def _load_price(shell: Shell, row_id: str, row: Any) -> Steps[bool]:
    """Save a price. Its document remembers the rows that it was made from: a file that is told of again, after a newer
    one has come, must not bring its old prices back."""
    price = CatalogueRow.model_validate(row).model_dump()
    key = safe_key(price["sku"])
    for _ in range(shell.settings.conflict_tries):
        stored: Stored | None = yield Get(CATALOGUE, key)
        found = stored.document if stored else None
        rows = found.get("rows", []) if found else []
        if row_id in rows:
            return False
        state = Price.model_validate({**(found["state"] if found else {}), **price})
        document = {**state.write(found), "rows": [*rows, row_id][-ROWS_REMEMBERED:]}
        try:
            yield Put(CATALOGUE, key, document, stored)
        except Conflict:
            continue
        return True
    raise Conflict(f"{CATALOGUE} {key}")
