"""Whoever is woken by an alarm finds in it the page that says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
WITHOUT_ALARM = {"restore"}

ALARM = re.compile(
    r'resource "(aws_cloudwatch_metric_alarm|azurerm_monitor_(metric|scheduled_query_rules)_alert\w*'
    r'|google_monitoring_alert_policy)"'
)
TEXT = {"aws": "alarm_description", "azure": "description", "gcp": "about"}
"""By cloud the attribute that holds what an alarm's mail says."""


def alarm_texts() -> list[tuple[str, str]]:
    """Where each alarm's text stands, and the text. A file with an alarm and no text of its own is an empty text."""
    found = []
    for cloud, attribute in TEXT.items():
        for file in sorted((ROOT / "terraform" / cloud).rglob("*.tf")):
            source = file.read_text(encoding="utf-8")
            if ALARM.search(source):
                texts = re.findall(rf'^\s*{attribute}\s*= "(.*)"$', source, re.MULTILINE)
                found += [(f"{cloud}/{file.name}", text) for text in texts or [""]]
    return found


def pages(text: str) -> set[str]:
    """The pages that a text leads to: one, or one of those that an expression chooses from."""
    match = re.search(r"Runbook: docs/runbooks/(.+)\.md", text)
    if match is None:
        return set()
    chosen = re.findall(r'"([\w-]+)"', match[1])
    return set(chosen or [match[1]])


@pytest.mark.parametrize(("where", "text"), alarm_texts())
def test_an_alarm_names_its_runbook(where: str, text: str) -> None:
    assert pages(text), f"{where}: {text}"
    assert pages(text) <= PAGES


def test_every_runbook_is_an_alarms_and_listed() -> None:
    named = {page for _, text in alarm_texts() for page in pages(text)}
    assert named | WITHOUT_ALARM == PAGES
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8"))
    assert set(listed) >= PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_runbook_says_what_it_means_how_to_look_how_to_mend_and_when_it_is_over(name: str) -> None:
    text = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What it means", "Look", "Mend", "It is over when", "Try it here"]
