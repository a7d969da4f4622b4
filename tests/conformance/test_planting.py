"""The bugs that `conformance.planting` plants fit the adapters as they are."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from conformance.bugs import BUGS, FUNCTIONS, Bug
from conformance.planting import failed_case, table


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.cloud}: {bug.name}")
def test_a_bug_can_be_planted(bug: Bug) -> None:
    text = (FUNCTIONS / bug.path).read_text()
    assert ast.dump(ast.parse(bug.planted(text))) != ast.dump(ast.parse(text))


def test_bugs_are_told_apart() -> None:
    assert Counter((bug.cloud, bug.name) for bug in BUGS).most_common(1)[0][1] == 1


def test_the_table_says_which_case_failed_and_what_none_saw() -> None:
    seen, missed = (Bug("aws", name, "store", "", "") for name in ("seen", "missed"))
    excused = Bug("aws", "excused", "store", "", "", unseen="the emulator is too good")
    assert table({seen: "test_a[aws]", missed: "", excused: ""}).splitlines()[2:] == [
        "| aws | seen | `test_a[aws]` |",
        "| aws | missed | NOT CAUGHT |",
        "| aws | excused | none: the emulator is too good |",
    ]


def test_the_case_that_failed_is_found_in_a_report(tmp_path: Path) -> None:
    passed = '<testcase name="a"><properties><property name="conformance" value="1"/></properties></testcase>'
    skipped = '<testcase name="b"><skipped message="no"/></testcase>'
    failed = passed.replace("</testcase>", "<failure/></testcase>").replace('"a"', '"c"')
    report = tmp_path / "junit.xml"
    for cases, expected in (((passed, skipped), ""), ((passed, skipped, failed), "c")):
        report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        assert failed_case(report) == expected
