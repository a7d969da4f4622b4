"""The command as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_cli.workload import CATALOGUE
from waiting import wait_until

# Three clouds start and work meanwhile: a slow machine takes its time, and only what hangs is to end.
pytestmark = [pytest.mark.local_cloud, pytest.mark.timeout(900)]

COMMAND = [str(Path(sys.executable).with_name("orderflow"))]


def processes_below(folder: Path) -> list[str]:
    """Command lines of running processes that name a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(folder) in command or str(folder) in environment:
                found.append(command)
    return found


def test_killing_function_hosts_during_the_demo_changes_nothing_in_the_outcome(tmp_path: Path) -> None:
    command = [*COMMAND, "demo", "--orders", "20", "--seed", "7", "--kill-hosts", "--json", "--state", str(tmp_path)]

    run = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)

    assert run.returncode == 0, run.stderr[-3000:] + run.stdout[-3000:]
    result = json.loads(run.stdout)
    assert result["holds"] is True
    assert {cloud["placed"] for cloud in result["clouds"].values()} == {20}
    assert processes_below(tmp_path) == []


def test_orders_from_a_file_are_placed_and_bad_lines_reported(tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    sku = next(iter(CATALOGUE))
    good = {"lines": [{"sku": sku, "quantity": 1}], "payment_token": "tok_visa"}
    file.write_text("\n".join([json.dumps(good), "{nonsense", json.dumps({**good, "lines": []})]))
    command = [*COMMAND, "demo", "--cloud", "gcp", "--input", str(file), "--json"]

    run = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)

    assert run.returncode == 0, run.stderr[-3000:]
    result = json.loads(run.stdout)
    assert result["clouds"]["gcp"]["placed"] == 1
    assert result["refused_lines"] == ["line 2: it is no JSON object with an order request"]
    assert [text.split()[0] for text in result["clouds"]["gcp"]["refused_by_api"]] == ["422"]


def test_ctrl_c_stops_everything(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "up", "--cloud", "gcp", "--state", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        assert any("Ctrl-C stops everything" in line for line in up.stdout)
        assert processes_below(tmp_path)

        up.send_signal(signal.SIGINT)

        assert up.wait(60) == 130
    assert processes_below(tmp_path) == []


def test_a_killed_command_leaves_no_process_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "up", "--cloud", "gcp", "--state", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as up:
        assert up.stdout is not None
        assert any("Ctrl-C stops everything" in line for line in up.stdout)

        up.kill()

    wait_until(lambda: processes_below(tmp_path) == [], "every process to end", 60)
