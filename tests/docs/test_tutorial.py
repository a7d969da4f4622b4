"""docs/new-service.md, followed as a person would: files are written where it says, commands are run, in order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.blocks import ITS_TEST, LOYALTY, ROOT, blocks, copy, run
from orderflow.services import SERVICES

PAGE = ROOT / "docs" / "new-service.md"
FILE = re.compile(r"`(?P<path>[\w./]+\.py)`:\n+```python")
GENERATED = ("topology.json", "contracts/asyncapi.json", "docs/events.md", "docs/diagrams/services.svg")


def test_who_follows_the_page_has_a_service_that_is_tested_and_everywhere(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing says which files belong to the project")
    if "loyalty" in SERVICES:
        pytest.skip("the page has been followed in this tree: there is a service loyalty")
    folder = copy(tmp_path)
    places = [match["path"] for match in FILE.finditer(PAGE.read_text(encoding="utf-8"))]
    assert places == [LOYALTY, ITS_TEST]
    typed = 0
    for block in blocks(PAGE):
        if block.kind == "python":
            (folder / places.pop(0)).write_text(block.text, encoding="utf-8")
        elif "--cloud" not in block.text:  # What needs a cloud is done on all three by tests/demo/test_examples.py.
            done = run(block, folder)
            assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout}\n{done.stderr}"
            typed += 1
    assert typed == 3
    for name in GENERATED:
        assert "loyalty" in (folder / name).read_text(encoding="utf-8"), name
