"""CI ends with what was skipped and why: each run of the tests adds its figures to the file that it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
SOME = """import pytest

def test_passes(): pass
def test_fails(): assert False
@pytest.mark.parametrize("number", [1, 2])
def test_is_skipped(number): pytest.skip("no browser is installed")
"""


def test_a_run_says_how_many_passed_were_skipped_and_why_and_failed(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(SOME)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environ |= {"TEST_SUMMARY": str(tmp_path / "summary"), "PYTHONPATH": str(TESTS)}
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "test_some.py"]

    run = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)

    assert run.returncode == 1, run.stdout + run.stderr
    figures, reason = (tmp_path / "summary").read_text().splitlines()
    assert figures.startswith("test_some.py: 1 passed, 2 skipped, 1 failed, ")
    assert reason == "  skipped 2: no browser is installed"
