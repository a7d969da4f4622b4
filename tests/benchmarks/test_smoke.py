"""The benchmarks run, and every program of them does the work that it is measured at. Nothing here looks at a clock."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rounds import Spread, compare

ROOT = Path(__file__).parents[2]


@pytest.mark.local_cloud
def test_every_program_runs_and_does_its_work(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--json", str(report)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    measured = json.loads(report.read_text())
    compared = measured["cpu_us_a_record"]
    assert len(compared) == 10
    assert all(each["figure"]["least"] > 0 for each in compared.values())
    assert compared["json and dicts"]["ratio"] == {"least": 1.0, "middle": 1.0, "most": 1.0}
    assert len(measured["steps_us_a_record"]) == 9
    assert all(each["figure"]["least"] > 0 for each in measured["steps_us_a_record"].values())
    for cloud, parts in measured["imports_ms"].items():
        imported = parts.pop("everything imported")["figure"]["least"]
        assert parts["pydantic"]["figure"]["least"] < imported < parts["the whole start"]["figure"]["least"], cloud
    for kind in ("cold_cpu_ms", "cold_wall_ms"):
        assert measured[kind].keys() == {"aws", "azure", "gcp"}
        assert all(each["figure"]["least"] > 0 for cloud in measured[kind].values() for each in cloud.values())
    served = measured["http_gcp"]
    assert len(served) == 3
    assert all(each["figure"]["least"] > 0 for of in served.values() for by in of.values() for each in by.values())
    assert measured["growth"].keys() == {"by_orders_stored", "by_lines_an_order"}
    assert all(each["figure"]["least"] > 0 for each in measured["hot_sku"]["100%"].values())
    assert [moment["orders"] for moment in measured["memory"]] == [10, 20]
    assert all(each > 0 for each in measured["simulator_sagas_a_second"].values())
    assert measured["throughput"]["aws"]["orders_s"] > 0
    sizes = measured["size_bytes"]["aws"]
    assert all(0 < each["plain_zipped"] < each["zipped"] < each["unpacked"] for each in sizes.values())


@pytest.mark.parametrize(
    "broken",
    [
        "lambda event, context: {'batchItemFailures': [{'itemIdentifier': 'm'}]}",
        "lambda event, context: published.append(b'{\"id\": \"1\"}') or {'batchItemFailures': []}",
    ],
    ids=["does nothing", "says too little"],
)
def test_a_program_that_does_not_do_the_work_is_not_timed(broken: str, tmp_path: Path) -> None:
    script = f"from benchmarks.cpu.measure import measure\npublished = []\nmeasure({broken}, published)"
    command = [sys.executable, "-c", script, "1", "1", str(tmp_path / "answer.json")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "AssertionError" in run.stderr
    assert not (tmp_path / "answer.json").exists()


def test_ratios_are_taken_within_a_round() -> None:
    slow = iter((10.0, 100.0, 20.0))
    twice = iter((20.0, 200.0, 40.0))
    compared = compare({"base": lambda: next(slow), "other": lambda: next(twice)}, "base", 3)
    assert compared["other"].ratio == Spread(2.0, 2.0, 2.0)
    assert compared["other"].figure == Spread(20.0, 40.0, 200.0)
