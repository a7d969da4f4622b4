"""What the suite says of itself."""

from __future__ import annotations

from conformance.report import Note, Row, markdown, page

QUICK = "quick"


def _row(**outcomes: str) -> Row:
    cells = {cloud: (said, Note(1, "It arrives", cloud, "native", "a topic")) for cloud, said in outcomes.items()}
    return Row(1, "It arrives", cells)


def test_a_cloud_that_was_not_asked_for_has_no_column() -> None:
    found = [_row(aws="passed")]

    table = markdown(found, ["aws"], QUICK)

    assert "| case | AWS |\n|---|---|\n| It arrives | native [1] |" in table
    assert "Azure" not in page(found, ["aws"], QUICK)


def test_a_case_that_a_cloud_did_not_come_to_is_said_not_to_have_run() -> None:
    found = [_row(aws="passed", gcp="failed"), _row(aws="passed")]

    table = markdown(found, ["aws", "gcp"], QUICK)

    assert "| It arrives | native [1] | **FAILED** |\n| It arrives | native [1] | not run |" in table
    assert '<td class="skipped">not run</td>' in page(found, ["aws", "gcp"], QUICK)
