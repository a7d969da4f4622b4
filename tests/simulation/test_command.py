"""`make simulate`: what it says of a violation, how it ends, and what it writes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from simulation.__main__ import main
from simulation.many import find
from simulation.shrink import Case, kind, shrink

BUG = "a cancellation does not refund"


def test_a_violation_is_made_short() -> None:
    with find(BUG).plant():
        found = next(case for case in (Case(seed, "sqs") for seed in range(20)) if case.run().violations)
        broken = found.run()
        _, result = shrink(found, effort=40)
    assert kind(result.violations[0]) == kind(broken.violations[0])
    assert result.orders < broken.orders
    assert len(list(result.world.trace)) < len(list(broken.world.trace))


def test_the_printed_command_plays_the_same_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "4", "--jobs", "1", "--bug", BUG]) == 1
    first = capsys.readouterr().out
    [make, target, *words] = shlex.split(first.partition("(make")[2].partition(")\n")[0].join(("make", "")))
    assert (make, target) == ("make", "simulate")
    values = dict(word.split("=", 1) for word in words)
    again = ["--runs", values["RUNS"], "--seed", values["SEED"], "--profile", values["PROFILE"]]
    assert main([*again, "--jobs", "1", *shlex.split(values["ARGS"])]) == 1
    second = capsys.readouterr().out
    told = first.partition("\n  I")[2]
    assert told and told.splitlines()[0] in second


def test_without_a_violation_it_ends_well_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "build" / "simulation.md"
    assert main(["--runs", "3", "--jobs", "1", "--seed", "7", "--json", "--report", str(report)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["runs"] == 3
    assert figures["violations"] == []
    assert figures["pairs"]["hit"] + len(figures["pairs"]["left"]) == figures["pairs"]["possible"]
    written = report.read_text()
    assert "| insert orders |" in written
    assert "### Pairs left at zero" in written
    step, fault = figures["pairs"]["left"][0]
    assert f"- {step}: {fault}" in written


def test_a_run_of_an_unknown_bug_is_refused() -> None:
    with pytest.raises(KeyError, match="0 planted bugs"):
        main(["--runs", "1", "--bug", "no such thing"])
