"""What the pages tell people to type does what they say: every block of commands or Python is run, in a copy of the
repository, or says why it cannot be run here (shown as skipped)."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.blocks import ROOT, Block, blocks, copy, pages, run

FOLLOWED = {"docs/new-service.md"}
"""Pages that `test_tutorial` follows from the first block to the last."""

EVERY = [block for page in pages() for block in blocks(page) if block.page not in FOLLOWED]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that blocks may change."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing says which files belong to the project")
    return copy(tmp_path_factory.mktemp("repository"))


@pytest.mark.parametrize("block", EVERY, ids=str)
def test_a_block_of_a_page_runs(block: Block, repository: Path) -> None:
    if block.why_not:
        pytest.skip(block.why_not)
    done = run(block, repository)
    assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout}\n{done.stderr}"
