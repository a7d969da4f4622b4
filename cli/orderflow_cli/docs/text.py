"""Markdown, as the generated pages are written."""

from __future__ import annotations


def table(head: str, rows: list[list[str]]) -> str:
    """A Markdown table; cells may hold anything that fits on a line."""
    columns = [name.strip() for name in head.split("|")]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"
