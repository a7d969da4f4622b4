"""The code blocks of the pages: what runs, in a copy of the repository, and what cannot run here and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUN = {"sh", "bash", "python"}
CANNOT = {
    r"\bmake (init|plan|deploy|outputs|destroy)\b|\b(terraform|aws|az|gcloud|gh)\s": "needs a cloud account",
    r"\bTARGET=deployed\b|--target deployed": "needs a deployment",
    r"\bmake (up|docs-serve)\b|\borderflow up\b|--target=api": "runs until it is stopped",
    r"\bmake (demo|test|check|conformance|conformance-full|simulate|mutate|bench|audit|docs)\b": "CI runs it by itself",
    r"\bpytest\b": "the suite runs it by itself",
    r"\bmake (lock|package)\b|\bpre-commit\b": "fetches packages",
}
"""Commands that no block is run with, and why. A block may also say it: ``<!-- not run: why -->`` before it."""

_BLOCK = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+?) -->\n+)?^```(?P<kind>\w+)[^\n]*\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block that could be run: where it is, and why it is not, if it is not."""

    page: str
    line: int
    kind: str
    text: str
    why_not: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that is written by hand."""
    found = [path for path in ROOT.glob("docs/**/*.md") if path.parent.name != "reference"]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(found)]


def blocks(page: Path) -> list[Block]:
    """The page's blocks of commands and Python, in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        if match["kind"] in RUN:
            known = (
                why for words, why in CANNOT.items() if match["kind"] != "python" and re.search(words, match["text"])
            )
            why = match["why"] or next(known, "")
            line = text.count("\n", 0, match.start("kind")) + 1
            found.append(Block(str(page.relative_to(ROOT)), line, match["kind"], match["text"], why))
    return found


LOYALTY, ITS_TEST = "functions/shared/orderflow/services/loyalty.py", "tests/unit/test_loyalty.py"
"""The files that the guide to a new service writes."""


def code(file: str) -> str:
    """What the guide to a new service says to write into a file, by the file's path."""
    text = (ROOT / "docs" / "new-service.md").read_text(encoding="utf-8")
    [found] = re.findall(rf"^`{re.escape(file)}`:\n\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found)


def copy(into: Path) -> Path:
    """A copy of the repository as git knows it, with what is changed and new; the environment is this one's."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, into / name)
    return into


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block in a copy of the repository, with that copy's code."""
    packages = ("functions/shared", "functions/aws", "functions/azure", "functions/gcp", "local", "cli", "examples")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(str(folder / package) for package in packages),
    }
    program = [sys.executable, "-c"] if block.kind == "python" else ["bash", "-euo", "pipefail", "-c"]
    return subprocess.run(
        [*program, block.text], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
