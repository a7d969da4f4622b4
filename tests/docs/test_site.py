"""The site: a page needs no entry in the menu, a link leads somewhere in the repository and in the site, and nothing is
loaded from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.blocks import pages
from orderflow_cli.docs.links import broken
from orderflow_cli.docs.site import BadPages, navigation, stage

ROOT = Path(__file__).parents[2]
CONFIG = """[project]
site_name = "x"

[[project.extra.sections]]
title = "How to"
rest = true
pages = ["deploy/*.md"]

[[project.extra.sections]]
title = "Reference"
pages = ["api.md"]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small repository with pages."""
    for name, text in {
        "zensical.toml": CONFIG,
        "README.md": "# Read me\n",
        "functions/order.py": "def decide(): ...\n",
        "docs/index.md": "# Home\n\n[code](../functions/order.py), [api](api.md#get), [read me](../README.md)\n",
        "docs/api.md": "# API\n\n## Get\n\n```sh\ncat [this](nowhere.md)\n```\n",
        "docs/deploy/aws.md": "# AWS\n\n[home](../index.md) and the [folder](../../functions)\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def staged(root: Path, page: str) -> str:
    return (root / "build" / "docs" / page).read_text(encoding="utf-8")


def test_a_link_to_a_file_that_is_no_page_leads_to_a_page_that_shows_it(root: Path) -> None:
    stage(root, root / "build")
    assert "[code](source/functions/order.py.md)" in staged(root, "index.md")
    assert "def decide(): ..." in staged(root, "source/functions/order.py.md")
    assert "- `order.py`" in staged(root, "source/functions.md")


def test_links_between_pages_stay_and_code_blocks_are_left_alone(root: Path) -> None:
    stage(root, root / "build")
    assert "[api](api.md#get), [read me](index.md)" in staged(root, "index.md")
    assert "cat [this](nowhere.md)" in staged(root, "api.md")


def test_a_link_that_leads_nowhere_is_named_with_its_page(root: Path) -> None:
    (root / "docs" / "new.md").write_text("# New\n\n[gone](../functions/gone.py)\n", encoding="utf-8")
    with pytest.raises(BadPages, match=r"docs/new\.md leads to \.\./functions/gone\.py, which is not there"):
        stage(root, root / "build")


def test_a_new_page_is_in_the_menu_without_an_entry(root: Path) -> None:
    (root / "docs" / "runbooks").mkdir()
    (root / "docs" / "runbooks" / "stuck.md").write_text("# Stuck\n", encoding="utf-8")
    stage(root, root / "build")
    config = (root / "build" / "zensical.toml").read_text(encoding="utf-8")
    assert '{ "How to" = ["deploy/aws.md", "runbooks/stuck.md"] }, { "Reference" = ["api.md"] }' in config


def test_an_entry_of_the_menu_without_a_page_is_refused(root: Path) -> None:
    with pytest.raises(BadPages, match=r"lists docs/gone\.md"):
        navigation([{"title": "How to", "pages": ["gone.md"]}], root / "docs")


def test_every_page_of_the_repository_can_be_staged(tmp_path: Path) -> None:
    stage(ROOT, tmp_path / "build")
    assert (tmp_path / "build" / "docs" / "project" / "contributing.md").is_file()


def test_no_block_of_a_page_has_more_than_its_language_beside_it() -> None:
    """The site's generator takes such a line for text, and what follows for anything."""
    said = [f"{page.name}: {line}" for page in pages() for line in page.read_text(encoding="utf-8").splitlines()]
    assert [line for line in said if re.search(r": *```\w+ +\S", line)] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('<a href="gone.html">x</a>', "leads to gone.html, which is not there"),
        ('<a href="#gone">x</a>', "leads to #gone, but the page has no such heading"),
        ('<img src="https://example.com/a.png">', "loads https://example.com/a.png from another host"),
        ('<link rel="stylesheet" href="//example.com/a.css">', "loads //example.com/a.css from another host"),
    ],
)
def test_what_is_wrong_with_a_link_of_the_site_is_said(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "index.html").write_text(f"<h1 id='top'>x</h1>{body}", encoding="utf-8")
    assert broken(tmp_path) == [f"index.html {said}"]


def test_a_sound_site_is_not_complained_of(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1 id='top'>x</h1><a href='index.html#top'>x</a>", encoding="utf-8")
    assert broken(tmp_path) == []
