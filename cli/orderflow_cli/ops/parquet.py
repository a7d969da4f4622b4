"""The archive as Parquet, by date and type, and questions to it, asked with DuckDB.

Layout: ``DIR/date=2026-11-21/type=OrderPlaced/data_0.parquet``; Hive partitions, as DuckDB, Spark, Athena, BigQuery and
Synapse read them. Columns: ``id, version, source, subject, time, correlation_id, causation_id, tier, channel, order_id,
data`` (JSON text) and, from the folders, ``date`` and ``type`` (the event's kind)."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orderflow.envelope import Envelope
from orderflow_cli.hints import Exit
from orderflow_cli.ops.archived import Archived, read_archive
from orderflow_cli.ops.doors import CannotDo, Doors

if TYPE_CHECKING:
    import duckdb

QUESTIONS = ("revenue", "conversion", "failures", "time-to-ship")
"""The shipped queries, each an SQL file beside this one, over the view ``events``."""

_DAY = 86_400.0
_COLUMNS = (
    "{id: 'VARCHAR', version: 'INTEGER', source: 'VARCHAR', subject: 'VARCHAR', time: 'TIMESTAMPTZ', "
    "correlation_id: 'VARCHAR', causation_id: 'VARCHAR', tier: 'VARCHAR', channel: 'VARCHAR', order_id: 'VARCHAR', "
    "data: 'VARCHAR', date: 'VARCHAR', type: 'VARCHAR'}"
)


@dataclass(slots=True)
class Exported:
    """What an export wrote: events by date and by type, and the folder."""

    folder: Path
    events: int = 0
    by_date: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A query's answer: names of columns, and rows of JSON values."""

    question: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def as_objects(self) -> list[dict[str, Any]]:
        """The rows by name of column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def export(
    doors: Doors,
    folder: Path,
    since: float,
    until: float,
    *,
    advance: Callable[[int], None] = lambda events: None,
) -> Exported:
    """Export the events of whole days (UTC): from the day of ``since`` to that of ``until``, seconds since the epoch. A
    day that was exported before is replaced as a whole, so that an export may be repeated. Raises `CannotDo` without
    DuckDB, `orderflow.ports.Unavailable`."""
    first, end = since - since % _DAY, until - until % _DAY + _DAY
    exported = Exported(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
        rows, made = Path(temporary) / "rows.jsonl", Path(temporary) / "made"
        _write_rows(read_archive(doors, first, end), rows, exported, advance)
        if exported.events:
            with _connect() as db:
                db.execute(
                    f"COPY (SELECT * FROM read_json({_text(rows)}, format = 'newline_delimited', columns = {_COLUMNS}) "  # noqa: S608
                    f"ORDER BY date, type, time) TO {_text(made)} (FORMAT parquet, PARTITION_BY (date, type))"
                )
        for day in sorted(made.glob("date=*")):
            shutil.rmtree(folder / day.name, ignore_errors=True)
            day.rename(folder / day.name)
    return exported


def ask(question: str, folder: Path) -> Answer:
    """Ask one of `QUESTIONS` about an export. Raises `CannotDo` where there is none."""
    if question not in QUESTIONS:
        raise CannotDo(f"{question!r} is no question", f"one of: {', '.join(QUESTIONS)}", Exit.USAGE)
    if not any(folder.glob("date=*/type=*/*.parquet")):
        raise CannotDo(
            f"there is no export in {folder}", f"make one: orderflow archive export --parquet {folder} --cloud ..."
        )
    sql = files("orderflow_cli.ops").joinpath("sql", f"{question}.sql").read_text(encoding="utf-8")
    with _connect() as db:
        db.execute(
            "CREATE VIEW events AS SELECT * REPLACE (data::JSON AS data) "  # noqa: S608
            f"FROM read_parquet({_text(folder / '*/*/*.parquet')}, hive_partitioning = true, "
            "hive_types = {date: DATE, type: VARCHAR})"
        )
        found = db.execute(sql)
        columns = tuple(str(column[0]) for column in found.description or ())
        rows = [tuple(_plain(value) for value in row) for row in found.fetchall()]
    return Answer(question, columns, rows)


def _write_rows(events: Iterable[Archived], path: Path, exported: Exported, advance: Callable[[int], None]) -> None:
    with path.open("w", encoding="utf-8") as out:
        for archived in events:
            event = archived.whole
            date = event.time[:10]
            out.write(json.dumps(_row(event, date), ensure_ascii=False) + "\n")
            exported.events += 1
            exported.by_date[date] = exported.by_date.get(date, 0) + 1
            exported.by_type[event.kind] = exported.by_type.get(event.kind, 0) + 1
            advance(exported.events)


def _row(event: Envelope, date: str) -> dict[str, Any]:
    return {
        "id": event.id,
        "version": int(event.type.rpartition(".v")[2]),
        "source": event.source,
        "subject": event.subject,
        "time": event.time,
        "correlation_id": event.correlationid,
        "causation_id": event.causationid,
        "tier": event.tier,
        "channel": event.channel,
        "order_id": event.data.get("order_id"),
        "data": json.dumps(event.data, ensure_ascii=False),
        "date": date,
        "type": event.kind,
    }


def _connect() -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError:
        raise CannotDo(
            "duckdb is not installed", "make .venv again, or: pip install 'orderflow[analytics]'", Exit.MISSING
        ) from None
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    return db


def _text(value: Path) -> str:
    """A path as a text of SQL."""
    escaped = str(value).replace("'", "''")
    return f"'{escaped}'"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)
