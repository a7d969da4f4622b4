"""What function hosts have written to their log files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The structured lines of all log files below a folder; what else is written there is passed over."""
    for path in sorted(folder.rglob("*.log")):
        with path.open(errors="replace") as lines:
            for line in lines:
                start = line.find('{"severity"')
                if start < 0:
                    continue
                try:
                    yield json.loads(line[start:])
                except ValueError:
                    continue
