"""The archive as Parquet, and what it answers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cli.desk import archive_all, day_of, desk, shipped
from orderflow_cli.ops import parquet
from orderflow_cli.ops.doors import CannotDo
from unit.support import Lab

DAY = "2027-01-15"
"""The day on which the laboratory's clock begins."""


@pytest.fixture
def exported(lab: Lab, tmp_path: Path) -> Path:
    """Two orders shipped after 100 seconds each, one refused by the gateway, one cancelled after it was paid."""
    lab.clock.time -= lab.clock.time % 86_400 - 3600
    shipped(lab, "o-1")
    shipped(lab, "o-2")
    shipped(lab, "o-3", token="tok_refused")
    lab.customer("south", address={"street": "1", "city": "Pole", "postcode": "1", "country": "AQ"})
    shipped(lab, "o-4", customer="south")
    archive_all(lab)
    parquet.export(desk(lab), tmp_path / "out", *day_of(lab))
    return tmp_path / "out"


def test_the_export_has_every_event_once_in_folders_by_date_and_type(lab: Lab, exported: Path) -> None:
    archive_all(lab)  # Whatever the archive has twice
    made = parquet.export(desk(lab), exported, *day_of(lab))

    ids = {event.id for event in lab.broker.published}
    files = exported.glob("date=*/type=*/*.parquet")
    assert {(file.parent.parent.name, file.parent.name) for file in files} == {
        (f"date={event.time[:10]}", f"type={event.kind}") for event in lab.broker.published
    }
    read = duckdb.sql(f"SELECT id FROM read_parquet('{exported}/*/*/*.parquet')")  # noqa: S608
    assert read is not None
    assert sorted(row[0] for row in read.fetchall()) == sorted(ids)
    assert made.events == len(ids)
    assert [path.name for path in exported.iterdir() if not path.name.startswith("date=")] == []


def test_an_export_replaces_the_days_that_it_writes_and_no_others(lab: Lab, exported: Path) -> None:
    other = exported / "date=2020-01-01" / "type=OrderPlaced"
    other.mkdir(parents=True)
    (other / "data_0.parquet").write_bytes(b"of another export")
    stale = next(exported.glob(f"date={_day(lab)}")) / "type=Gone"
    stale.mkdir()

    parquet.export(desk(lab), exported, *day_of(lab))

    assert (other / "data_0.parquet").read_bytes() == b"of another export"
    assert not stale.exists()


def test_revenue_is_what_was_paid_less_what_was_given_back(lab: Lab, exported: Path) -> None:
    [row] = parquet.ask("revenue", exported).as_objects()

    assert row == {"day": _day(lab), "currency": "EUR", "payments": 3, "refunds": 1, "revenue": 2 * 2_000}


def test_conversion_counts_how_far_orders_came(lab: Lab, exported: Path) -> None:
    [row] = parquet.ask("conversion", exported).as_objects()

    assert row == {
        "day": _day(lab),
        "placed": 4,
        "confirmed": 3,
        "shipped": 2,
        "cancelled": 2,
        "shipped_percent": 50.0,
    }


def test_failures_are_counted_by_their_short_reason(exported: Path) -> None:
    assert parquet.ask("failures", exported).rows == [("payment-failed", 1, 50.0), ("shipment-refused", 1, 50.0)]


def test_time_to_ship_is_from_placed_to_shipped(lab: Lab, tmp_path: Path) -> None:
    for seconds, order_id in ((1, "o-1"), (3, "o-2")):
        lab.clock.time -= lab.clock.time % 86_400 - 3600
        shipped(lab, f"before-{order_id}", customer="nobody")
        lab.place(order_id)
        lab.clock.time += seconds
        lab.run_to_rest()
    archive_all(lab)
    parquet.export(desk(lab), tmp_path, *day_of(lab))

    [row] = parquet.ask("time-to-ship", tmp_path).as_objects()

    assert (row["orders"], row["p50_seconds"], row["slowest_seconds"]) == (2, 2.0, 3.0)
    assert row["p95_seconds"] == pytest.approx(2.9)


def test_an_export_of_days_without_events_writes_nothing(lab: Lab, tmp_path: Path) -> None:
    made = parquet.export(desk(lab), tmp_path, *day_of(lab))

    assert made.events == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CannotDo, match="there is no export"):
        parquet.ask("revenue", tmp_path)


def test_a_question_that_nobody_wrote_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotDo, match="'profit' is no question"):
        parquet.ask("profit", tmp_path)


def _day(lab: Lab) -> str:
    return lab.broker.published[0].time[:10]
