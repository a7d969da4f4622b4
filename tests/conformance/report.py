"""What came of the suite: a table of cases and clouds, on the terminal, as HTML and as Markdown for the docs."""

from __future__ import annotations

import html
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.capabilities import CLOUDS

TITLES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
SECTIONS = {
    1: "Publish and receive",
    2: "Fan-out and filters",
    3: "Redelivery",
    4: "Duplicates",
    5: "Order of arrival",
    6: "Partial batch failure",
    7: "Poison messages",
    8: "Backoff",
    9: "Redrive and replay",
    10: "Documents",
    11: "Idempotency keys",
    12: "Sagas and their compensations",
    13: "A hot SKU",
    14: "Correlation, causation and traces",
    15: "Versions of events",
    16: "Doors",
    17: "Outages",
    18: "Shutdown",
    19: "Ordering",
    20: "Identity",
    21: "Deadlines",
    22: "Circuit breakers",
    23: "Compensations in trouble",
    24: "Strange content",
    25: "Lineage",
}
INTRODUCTION = """# Conformance

One suite, the same assertions on every cloud, through public doors only: the HTTP API, the broker's own SDK, the
documents at rest. This page is what `make conformance` wrote (`build/conformance/report.md`); CI fails when it differs.

Each cell says how the cloud has what the case needs: *native* is the cloud's own feature, *by us* is what orderflow
does because the cloud does not, *unsupported* is not to be had. The numbers say by what, below. On a laptop some
clouds are stand-ins: [local clouds](local-clouds.md) says which, and what each is checked against.

`make conformance CLOUD=gcp TARGET=deployed ENV=dev` runs the same cases against what is deployed, found by its
Terraform outputs. `ORDERFLOW_TOKEN_COMMAND` must then print a bearer token for the customer id that is put after it.
Cases that kill hosts, cut connections or read logs are left out there, and are listed with the reason.

Profile: {profile}."""
PROFILES = {
    "quick": "quick. `make conformance-full` runs the cases that take longer",
    "full": "full, only the cases that take too long for every commit. `make conformance` runs the others",
}
_SIGNS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}
_HOWS = {"native": "native", "emulated": "by us", "unsupported": "unsupported"}


@dataclass(frozen=True, slots=True)
class Note:
    """What one run of a case is: ``how`` and ``by`` are its cloud's cell of `capabilities`."""

    number: int
    title: str
    cloud: str
    how: str
    by: str

    def dump(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Row:
    """One case on every cloud that it ran on: (outcome, note) by cloud."""

    number: int
    title: str
    cells: Mapping[str, tuple[str, Note]]


def title(node: pytest.Item) -> str:
    """A test's name as a sentence, with its parameters but for the cloud."""
    name = getattr(node, "originalname", None) or node.name
    words = name.removeprefix("test_").replace("_", " ")
    callspec = getattr(node, "callspec", None)
    more = [str(part) for part in (callspec.id.split("-") if callspec else []) if part not in CLOUDS]
    return words[:1].upper() + words[1:] + (f" ({'-'.join(more)})" if more else "")


def rows(reports: Iterable[pytest.TestReport]) -> list[Row]:
    """The cases by number and title."""
    cells: dict[tuple[int, str], dict[str, tuple[str, Note]]] = defaultdict(dict)
    for each in reports:
        found = dict(each.user_properties).get("conformance")
        if found is None or (each.when != "call" and each.outcome == "passed"):
            continue
        note = Note(**json.loads(str(found)))
        before = cells[note.number, note.title].get(note.cloud)
        if before is None or before[0] != "failed":
            cells[note.number, note.title][note.cloud] = (each.outcome, note)
    return [Row(number, text, found) for (number, text), found in sorted(cells.items())]


def show(reporter: Any, file: str | None, profile: str) -> None:
    """Print the table under pytest's own words; write it to ``<file>.html`` and ``<file>.md`` where one is named. It
    says which of `PROFILES` ran."""
    found = rows(report for kind in ("passed", "failed", "error", "skipped") for report in reporter.stats.get(kind, []))
    if not found:
        return
    clouds = [name for name in CLOUDS if any(name in row.cells for row in found)]
    width = max(len(row.title) for row in found) + 4
    reporter.write_sep("=", "conformance")
    section = 0
    for row in found:
        if row.number != section:
            section = row.number
            heads = "".join(f"{TITLES[name]:>14}" for name in clouds)
            reporter.write_line(f"{section:>2}  {SECTIONS[section]:<{width - 4}}{heads}", bold=True)
        signs = [_SIGNS[row.cells[name][0]] if name in row.cells else "" for name in clouds]
        line = f"    {row.title:<{width - 4}}" + "".join(f"{sign:>14}" for sign in signs)
        reporter.write_line(line, red="FAILED" in signs)
    for reason in sorted({f"{TITLES[n.cloud]}: {n.by}" for r in found for o, n in r.cells.values() if o == "skipped"}):
        reporter.write_line(f"-   {reason}")
    counts = [outcome for row in found for outcome, _ in row.cells.values()]
    reporter.write_line(
        f"{profile} profile: {len(found)} cases, {counts.count('passed')} ok, {counts.count('failed')} failed, "
        f"{counts.count('skipped')} unsupported"
    )
    if file:
        target = Path(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_suffix(".md").write_text(markdown(found, clouds, profile), encoding="utf-8")
        target.with_suffix(".html").write_text(page(found, clouds, profile), encoding="utf-8")


def markdown(found: list[Row], clouds: list[str], profile: str) -> str:
    """The page for the docs: how each cloud has what each case needs. What failed says so, and what did not run."""
    lines: list[str] = [INTRODUCTION.format(profile=PROFILES[profile])]
    whys: dict[str, int] = {}
    section = 0
    for row in found:
        if row.number != section:
            section = row.number
            lines += [
                "",
                f"### {section}. {SECTIONS[section]}",
                "",
                f"| case | {' | '.join(TITLES[name] for name in clouds)} |",
                f"|---|{'---|' * len(clouds)}",
            ]
        texts = []
        for name in clouds:
            if name not in row.cells:
                texts.append("not run")
                continue
            outcome, note = row.cells[name]
            why = whys.setdefault(note.by, len(whys) + 1)
            texts.append("**FAILED**" if outcome == "failed" else f"{_HOWS[note.how]} [{why}]")
        lines.append(f"| {row.title} | {' | '.join(texts)} |")
    lines += ["", "### By what", "", *(f"{number}. {why}" for why, number in whys.items()), ""]
    return "\n".join(lines).lstrip("\n")


def page(found: list[Row], clouds: list[str], profile: str) -> str:
    """The table as one HTML page that needs nothing else."""
    body = []
    section = 0
    for row in found:
        if row.number != section:
            section = row.number
            body.append(f'<tr><th colspan="{len(clouds) + 1}">{section}. {html.escape(SECTIONS[section])}</th></tr>')
        cells = []
        for name in clouds:
            if name not in row.cells:
                cells.append('<td class="skipped">not run</td>')
                continue
            outcome, note = row.cells[name]
            text = {"passed": _HOWS[note.how], "failed": "failed", "skipped": "unsupported"}[outcome]
            cells.append(f'<td class="{outcome}" title="{html.escape(note.by)}">{text}</td>')
        body.append(f"<tr><td>{html.escape(row.title)}</td>{''.join(cells)}</tr>")
    heads = "".join(f"<th>{TITLES[name]}</th>" for name in clouds)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>orderflow conformance</title><style>"
        ":root{color-scheme:light dark}"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
        "table{border-collapse:collapse;width:100%}"
        "td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #8884}"
        "th[colspan]{padding-top:1.5rem}"
        ".passed{color:#1a7f37}.failed{color:#cf222e;font-weight:bold}.skipped{color:#888}"
        "</style><h1>orderflow conformance</h1><p>One suite, the same assertions on every cloud. Each cell says how "
        f"the cloud has what the case needs; its tooltip says by what. The profile is {profile}.</p>"
        f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(body)}</tbody></table></html>\n"
    )
