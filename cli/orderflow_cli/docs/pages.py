"""Which pages and pictures are made from the code."""

from __future__ import annotations

from pathlib import Path

from orderflow_cli.docs import api, clouds, command, diagrams, settings, terraform

MADE = "*Generated from {} by `orderflow docs`; `make check` fails where it is not current.*"


def build(root: Path) -> dict[str, str]:
    """Every generated file's text by its path in the repository."""
    return {
        "docs/reference/cli.md": command.page(MADE.format("the command's help")),
        "docs/reference/api.md": api.page(MADE.format("the API's OpenAPI document")),
        "docs/reference/settings.md": settings.page(MADE.format("`functions/shared/orderflow/settings.py`")),
        "docs/reference/terraform.md": terraform.page(root / "terraform", MADE.format("the roots' `.tf` files")),
        "docs/clouds.md": clouds.page(root, MADE.format("the conformance suite's table of capabilities")),
        "docs/diagrams/services.svg": diagrams.services(),
        "docs/diagrams/delivery.svg": diagrams.delivery(),
        "docs/diagrams/clouds.svg": diagrams.clouds(),
    }
