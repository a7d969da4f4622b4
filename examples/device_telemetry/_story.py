"""Two devices report a batch, told of twice; one reading is too hot, and three lines are bad. Then it is queried."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from device_telemetry.sites import DeviceRegistered
from orderflow_cli.examples import Stage

BAD = ["{", '{"device": "t-9", "at": "2026-11-21T12:00:00Z", "value": 1}', '{"device": "t-1", "value": 1}']
QUERY = """
SELECT device, unit, count(*) AS readings, round(avg(value), 2) AS average, count(*) FILTER (NOT within) AS outside
FROM read_parquet(?) GROUP BY ALL ORDER BY device
"""


def tell(stage: Stage) -> Iterator[str]:
    """Play it. Raises `orderflow_cli.examples.Broken`."""
    site = stage.fresh("plant")
    for device in ("t-1", "t-2"):
        stage.publish(DeviceRegistered(device=device, site=site, unit="°C", lowest=0, highest=80), times=2)
    stage.wait(lambda: len(stage.field("sites", site, "devices") or ()) == 2, "both devices")
    good = [
        {"device": f"t-{1 + number % 2}", "at": f"2026-11-21T12:{number:02}:00Z", "value": 20.0 + number}
        for number in range(20)
    ]
    good.append({"device": "t-2", "at": "2026-11-21T13:00:00Z", "value": 99.0})
    batch = "\n".join([*map(json.dumps, good), *BAD]).encode()
    stage.drop(f"telemetry/{site}/noon.jsonl", batch)
    stage.drop(f"telemetry/{site}/noon.jsonl", batch)
    yield f"{site} has two devices; a batch of {len(good) + len(BAD)} lines was dropped twice"

    stage.wait(lambda: bool(stage.ports.archive.names(f"telemetry/{site}/")), "the Parquet object")
    [name] = stage.ports.archive.names(f"telemetry/{site}/")
    yield f"loaded as {name}"
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        file = Path(folder) / "readings.parquet"
        file.write_bytes(stage.ports.archive.get(name))
        rows = database.execute(QUERY, [str(file)]).fetchall()
    stage.expect([row[2] for row in rows] == [10, 11], f"the good readings are {rows}")
    stage.expect([row[4] for row in rows] == [0, 1], f"one reading is too hot: {rows}")
    for device, unit, readings, average, outside in rows:
        yield f"{device}: {readings} readings, {average} {unit} on average, {outside} out of bounds"
