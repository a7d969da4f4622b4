"""Readings: a batch, dropped as ``telemetry/<site>/<name>.jsonl`` with a reading a line, becomes one Parquet object of
the archive bucket, ``telemetry/<site>/<sha256>.parquet``.

A line is ``{"device": "t-1", "at": "2026-11-21T12:00:00Z", "value": 21.5}``. Readings of devices that the site does not
have, and lines that are none, are rejected one by one; the first reasons are kept."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from orderflow.envelope import first_error
from orderflow.events import Event, FileArrived, Id
from orderflow.keys import safe_key
from orderflow.service import (
    Applied,
    Commit,
    Context,
    Decision,
    Fail,
    Fetch,
    Fetched,
    Intend,
    Keep,
    Limits,
    Look,
    Outcome,
    Seen,
    Service,
)
from orderflow.state import State

SITES = "sites"
REASONS = 5

Row = tuple[str, str, datetime, float, str, bool]
"""Site, device, time, value, unit, whether it is within the device's bounds."""
COLUMNS = "site VARCHAR, device VARCHAR, time TIMESTAMPTZ, value DOUBLE, unit VARCHAR, within BOOLEAN"


class ReadingsArrived(FileArrived):
    """A batch of readings was dropped."""

    category: ClassVar[str] = "telemetry"
    folder: ClassVar[str] = "telemetry"


class ReadingsLoaded(Event):
    """A batch can be queried: ``rows`` readings in ``object``, ``outside`` of them out of their device's bounds."""

    category: ClassVar[str] = "telemetry"
    subject_field: ClassVar[str] = "file"
    file: Id
    object: Id
    rows: int
    outside: int
    rejected: int


class Reading(BaseModel):
    """A line of a batch."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    device: str
    at: AwareDatetime
    value: float


class Batch(State):
    """What became of one batch. ``devices`` are those of its site when it was begun."""

    status: Literal["new", "converted", "loaded", "gone"] = "new"
    file: str
    devices: dict[str, Any] = {}
    rows: int = 0
    outside: int = 0
    rejected: int = 0
    reasons: tuple[str, ...] = ()


def key(event: ReadingsArrived, _time: str) -> str:
    """Batches are kept by content and name."""
    return safe_key(f"{event.sha256}.{event.file}")


def decide(batch: Batch | None, event: ReadingsArrived, _context: Context) -> Decision[Batch]:
    """Look the site's devices up, unless the batch was loaded."""
    batch = batch or Batch(file=event.file)
    return Commit(batch) if batch.status in ("loaded", "gone") else Intend(batch, Look(((SITES, _site(event)),)))


def resume(batch: Batch, event: ReadingsArrived, outcome: Outcome, _context: Context) -> Decision[Batch]:
    """Read the batch; check, enrich and convert it; keep it; then say so."""
    match outcome:
        case Seen(states=(site,)):
            devices = site["devices"] if site else {}
            return Intend(batch.model_copy(update={"devices": devices}), Fetch(event.file))
        case Fetched(data=None):
            return Commit(batch.model_copy(update={"status": "gone"}))
        case Fetched(data=bytes() as data):
            rows, reasons = _enriched(_site(event), batch.devices, data)
            converted = batch.model_copy(
                update={
                    "status": "converted",
                    "rows": len(rows),
                    "outside": sum(not within for *_, within in rows),
                    "rejected": len(reasons),
                    "reasons": tuple(reasons[:REASONS]),
                }
            )
            return Intend(converted, Keep(_object(event), _parquet(rows)))
        case Applied():
            loaded = ReadingsLoaded(
                file=batch.file,
                object=_object(event),
                rows=batch.rows,
                outside=batch.outside,
                rejected=batch.rejected,
            )
            return Commit(batch.model_copy(update={"status": "loaded", "devices": {}}), (loaded,))
    return Fail(f"{batch.status} cannot go on after {type(outcome).__name__}")


def _site(event: ReadingsArrived) -> str:
    parts = event.file.split("/")
    return safe_key(parts[1] if len(parts) > 2 else "unknown")


def _object(event: ReadingsArrived) -> str:
    return f"telemetry/{_site(event)}/{event.sha256}.parquet"


def _enriched(site: str, devices: dict[str, Any], data: bytes) -> tuple[list[Row], list[str]]:
    """The good readings with what is known of their devices, and of each bad line what is wrong with it."""
    rows: list[Row] = []
    reasons: list[str] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            reading = Reading.model_validate(json.loads(line))
            device = devices[reading.device]
        except ValidationError as error:
            reasons.append(f"line {number}: {first_error(error)}")
        except (ValueError, RecursionError):
            reasons.append(f"line {number}: no JSON")
        except KeyError:
            reasons.append(f"line {number}: {site} has no such device")
        else:
            within = device["lowest"] <= reading.value <= device["highest"]
            rows.append((site, reading.device, reading.at, reading.value, device["unit"], within))
    return rows, reasons


def _parquet(rows: list[Row]) -> bytes:
    """A Parquet file of the rows."""
    import duckdb  # Only this function has it, and only for this.

    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        file = Path(folder) / "readings.parquet"
        database.execute(f"CREATE TABLE readings ({COLUMNS})")
        if rows:
            database.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute(f"COPY readings TO '{file}' (FORMAT parquet)")
        return file.read_bytes()


SERVICE = Service(
    name="readings",
    hears=(ReadingsArrived,),
    emits=(ReadingsLoaded,),
    collection="batches",
    state=Batch,
    key=key,
    decide=decide,
    resume=resume,
    reads=(SITES,),
    keeps=("telemetry/",),
    limits=Limits(memory_mb=512, batch_size=1),
)
