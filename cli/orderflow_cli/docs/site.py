"""The site: docs/ and a few pages beside it, built by Zensical in strict mode, without anything from another host.

The pages are written for the repository, where a link may lead to any file. So they are staged first: a link to a file
that is no page leads to a page that shows the file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

BUILD = Path("build/docs")
SITE = Path("build/site")
CONFIG = Path("zensical.toml")
BESIDE = {
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/reporting.md",
}
"""Files outside of docs/ that are pages of the site too, and where. The site begins as docs/index.md says, not as the
README does, which says the same for those who look at the repository."""

_LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^ *(`{3,}|~{3,})")
_LANGUAGES = {
    ".py": "python",
    ".tf": "hcl",
    ".hcl": "hcl",
    ".tfvars": "hcl",
    ".json": "json",
    ".yml": "yaml",
    ".yaml": "yaml",
    ".toml": "toml",
    ".sql": "sql",
    ".js": "javascript",
    ".md": "markdown",
}


class BadPages(Exception):
    """The pages cannot be a site: what is wrong, a line each."""


def stage(root: Path, into: Path) -> None:
    """Write the site's sources into a folder, with the files that they lead to. Raises `BadPages`."""
    docs = root / "docs"
    pages = {f"docs/{path}": str(path) for path in sorted(_under(docs, ".md"))}
    pages |= {path: place for path, place in BESIDE.items() if (root / path).is_file()}
    shutil.rmtree(into, ignore_errors=True)
    shown: set[str] = set()
    bad: list[str] = []
    for source, place in pages.items():
        if source == "README.md":
            continue
        text = (root / source).read_text(encoding="utf-8")
        links = _Links(root, source, place, pages, shown)
        _write(into / "docs" / place, "\n".join(links.follow(text.split("\n"))))
        bad += links.bad
    if bad:
        raise BadPages("\n".join(bad))
    for path in docs.rglob("*"):
        if path.is_file() and path.suffix != ".md":
            target = into / "docs" / path.relative_to(docs)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    for name in sorted(shown):
        _write(into / "docs" / _shown_at(name), _show(root / name, name))
    config = (root / CONFIG).read_text(encoding="utf-8")
    nav = navigation(tomllib.loads(config)["project"]["extra"]["sections"], into / "docs")
    _write(into / CONFIG.name, config.replace("[project]\n", f"[project]\nnav = {nav}\n", 1))


def build(root: Path, *, serve: bool = False) -> None:
    """Stage the pages, build the site, and follow every link in it. Raises `BadPages`."""
    stage(root, root / BUILD)
    command = [sys.executable, "-m", "zensical", *(["serve"] if serve else ["build", "--strict", "--clean"])]
    made = subprocess.run(
        [*command, "--config-file", str(root / BUILD / CONFIG.name)],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=not serve,
        text=True,
        check=False,
    )
    if serve:
        return
    if made.returncode or "Warning" in made.stdout + made.stderr:
        raise BadPages(made.stdout + made.stderr)
    shutil.rmtree(root / SITE, ignore_errors=True)
    (root / BUILD / "site").rename(root / SITE)
    from orderflow_cli.docs.links import broken

    if bad := broken(root / SITE):
        raise BadPages("\n".join(bad))


def navigation(sections: list[dict[str, object]], docs: Path) -> str:
    """The site's navigation as TOML: each section's pages, in their order; the one that takes the ``rest`` also has
    every page that none names, so that a new page needs no entry. Raises `BadPages` for an entry without a page."""
    there = {path for path in _under(docs, ".md") if not path.startswith("source/") and path != "index.md"}
    listed: list[tuple[dict[str, object], list[str]]] = []
    for section in sections:
        named = [page for pattern in _strings(section["pages"]) for page in _matching(docs, pattern)]
        pages = [page for page in dict.fromkeys(named) if page in there]
        listed.append((section, pages))
        there -= set(pages)
    parts = ['"index.md"']
    for section, pages in listed:
        every = pages + sorted(there) if section.get("rest") else pages
        parts.append(f"{{ {json.dumps(section['title'])} = {json.dumps(every)} }}")
    return f"[{', '.join(parts)}]"


def _matching(docs: Path, pattern: str) -> list[str]:
    found = sorted(path.relative_to(docs).as_posix() for path in docs.glob(pattern))
    if not found and "*" not in pattern:
        raise BadPages(f"{CONFIG} lists docs/{pattern}, which is not there")
    return found


def _strings(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


class _Links:
    """The links of one page, as they must be where it is staged. ``shown`` gathers the files that are no pages."""

    def __init__(self, root: Path, source: str, place: str, pages: dict[str, str], shown: set[str]) -> None:
        self.root, self.source, self.place, self.pages, self.shown = root, source, place, pages, shown
        self.bad: list[str] = []

    def follow(self, lines: Iterable[str]) -> Iterable[str]:
        """The lines with their links mended; code blocks stay as they are."""
        fence = ""
        for line in lines:
            found = _FENCE.match(line)
            if found and (not fence or (found[1].startswith(fence) and not line.strip(" `~"))):
                fence = "" if fence else found[1]
            yield line if fence or found else _LINK.sub(self._mend, line)

    def _mend(self, link: re.Match[str]) -> str:
        target, _, anchor = link[2].partition("#")
        if not target or re.match(r"[a-z+]+:", target):
            return link[0]
        path = os.path.normpath(f"{PurePosixPath(self.source).parent}/{target}")
        if path.startswith("..") or not (self.root / path).exists():
            self.bad.append(f"{self.source} leads to {link[2]}, which is not there")
            return link[0]
        if path in self.pages:
            place = self.pages[path]
        elif path.startswith("docs/") and (self.root / path).is_file():
            place = path.removeprefix("docs/")
        else:
            self.shown.add(path)
            place, anchor = _shown_at(path), ""
        there = os.path.relpath(place, PurePosixPath(self.place).parent)
        return f"{link[1]}{there}{'#' * bool(anchor)}{anchor}{link[3]}"


def _shown_at(name: str) -> str:
    return f"source/{name}.md"


def _show(path: Path, name: str) -> str:
    head = f"---\ntitle: {name}\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# `{name}`\n\n"
    if path.is_dir():
        entries = sorted(each.name + "/" * each.is_dir() for each in path.iterdir() if each.name[0] not in "._")
        return head + "".join(f"- `{entry}`\n" for entry in entries)
    text = path.read_text(encoding="utf-8").rstrip("\n")
    return f"{head}~~~~~~ {_LANGUAGES.get(path.suffix, 'text')}\n{text}\n~~~~~~\n"


def _under(folder: Path, suffix: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob(f"*{suffix}")]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
