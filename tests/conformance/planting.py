"""Plant each bug of `conformance.bugs` in turn in a copy of the functions, run the suite against its cloud until a case
fails, and tell which did. A cloud's suite takes minutes, and so does each bug: some hours for all of them.

What was tried is remembered in build/planted, and not tried again while functions and suite are the same. Exit code 1
where a bug was not caught that the suite should see, 130 after Ctrl-C."""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.bugs import BUGS, FUNCTIONS, Bug
from conformance.capabilities import CLOUDS

ROOT = FUNCTIONS.parent
OUT = ROOT / "build" / "planted"
_PACKAGES = ("shared", *CLOUDS)
_COLUMNS = ("cloud", "what is wrong", "the case that failed")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(prog="make conformance-bugs", description=__doc__)
    parser.add_argument("--cloud", choices=[*CLOUDS, "all"], default="all", help="whose bugs (default %(default)s)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write a table in Markdown")
    chosen = parser.parse_args(arguments)
    wanted = [bug for bug in BUGS if chosen.cloud in (bug.cloud, "all")]
    caught: dict[Bug, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
            task = bar.add_task("", total=len(wanted))
            for bug in wanted:
                bar.update(task, description=f"{bug.cloud}: {bug.name}")
                caught[bug] = hunt(bug)
                print(_row(bug, caught[bug], "  "), flush=True)
                bar.advance(task)
    except KeyboardInterrupt:
        return 130
    finally:
        if chosen.report:
            chosen.report.parent.mkdir(parents=True, exist_ok=True)
            chosen.report.write_text(table(caught))
    return int(any(not case and not bug.unseen for bug, case in caught.items()))


def hunt(bug: Bug) -> str:
    """The case that failed with a bug planted; empty where none did. Raises `RuntimeError` where the suite did not
    run."""
    remembered = OUT / f"{hashlib.sha256(f'{_sources()} {bug}'.encode()).hexdigest()[:16]}.txt"
    if remembered.exists():
        return remembered.read_text()
    case = _run(bug)
    remembered.write_text(case)
    return case


def table(caught: dict[Bug, str]) -> str:
    """The results in Markdown."""
    head = [" | ".join(_COLUMNS), " | ".join("---" for _ in _COLUMNS)]
    rows = [_row(bug, f"`{case}`" if case else case, " | ") for bug, case in caught.items()]
    return "".join(f"| {row} |\n" for row in (*head, *rows))


def _row(bug: Bug, case: str, between: str) -> str:
    return between.join((bug.cloud, bug.name, case or (f"none: {bug.unseen}" if bug.unseen else "NOT CAUGHT")))


def _run(bug: Bug) -> str:
    place = OUT / bug.cloud
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(FUNCTIONS, place / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    target = place / "functions" / bug.path
    target.write_text(bug.planted(target.read_text()))
    answer = place / "junit.xml"
    command = [sys.executable, "-m", "pytest", "tests/conformance", "-x", "-q", "-p", "no:cacheprovider"]
    environment = {
        **os.environ,
        "CONFORMANCE_CLOUD": bug.cloud,
        # Before the checkout's own, which the virtual environment adds at the end of the path.
        "PYTHONPATH": os.pathsep.join(str(place / "functions" / package) for package in _PACKAGES),
    }
    run = subprocess.run(
        [*command, f"--junitxml={answer}"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if run.returncode not in (0, 1):
        raise RuntimeError(
            f"the suite did not run with {bug.name!r} planted:\n{run.stdout[-3000:]}{run.stderr[-1000:]}"
        )
    return failed_case(answer)


def failed_case(junit: Path) -> str:
    """The first case that failed by a report in JUnit's XML; empty where none did."""
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314  the file is ours
        if any(child.tag in ("failure", "error") for child in case):
            return case.attrib["name"]
    return ""


def _sources() -> str:
    """A hash of the functions, of the suite and of the local clouds; not of what plants."""
    digest = hashlib.sha256()
    for folder in (FUNCTIONS, Path(__file__).parent, ROOT / "local"):
        for path in sorted(folder.rglob("*.py")):
            if path.name not in ("bugs.py", "planting.py", "test_planting.py"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
