"""What people who carry on find: a guide that names every folder and only commands that exist, and configuration that
points at files that are there."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
"""The kinds of changes that Keep a Changelog 1.1.0 knows."""

MANIFESTS = {
    "terraform": "*.tf",
    "npm": "package-lock.json",
    "docker-compose": "compose.yaml",
    "devcontainers": ".devcontainer/devcontainer.json",
    "github-actions": ".github/workflows/*.yml",
}
"""What Dependabot looks for in a directory, by ecosystem (docs.github.com, "Dependabot options reference")."""


def read(path: str) -> Any:
    """A YAML file of the repository."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def committed() -> list[str]:
    """Every file that git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing says which files belong to the project")
    return subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")


def test_the_tour_names_every_folder_and_no_other() -> None:
    folders = {f"{path.split('/')[0]}/" for path in committed() if "/" in path}
    named = re.findall(r"^\| `([\w./-]+/)` \| \S.* \| \S.* \|$", CONTRIBUTING, re.MULTILINE)
    assert set(named) == folders, (
        "CONTRIBUTING.md has a line for each top folder: what it holds, and when one changes it"
    )
    assert len(named) == len(folders)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_the_guide_names_only_what_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"`make ((?:[a-z-]+ ?)+)", text):
        for target in command.split():
            assert re.search(rf"^{target}( [a-z -]+)?:", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / link).exists(), link
    for path in re.findall(r"`((?:functions|tests|terraform|local|cli|docs|tools|contracts)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


def test_the_changelog_begins_with_what_is_unreleased_and_knows_each_release() -> None:
    versions = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "Unreleased"
    for version in versions[1:]:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", version)
    assert versions[1:] == [] or versions[1].startswith(f"{PROJECT['version']} - ")
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= KINDS


def test_the_licence_is_the_one_that_the_package_declares() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text


def test_the_version_is_stated_once() -> None:
    """In pyproject.toml; whoever needs it asks the package's metadata."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    stated = re.compile(r"^\s*__version__\b.*=", re.MULTILINE)
    sources = [path for path in committed() if path.endswith(".py") and not path.startswith("tests/")]
    assert sources
    assert [path for path in sources if stated.search((ROOT / path).read_text(encoding="utf-8"))] == []


def test_dependabot_looks_where_there_is_something() -> None:
    updates = read(".github/dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == set(MANIFESTS)
    for update in updates:
        for directory in update.get("directories", [update.get("directory")]):
            assert list(ROOT.glob(f"{directory.strip('/') or '.'}/{MANIFESTS[update['package-ecosystem']]}")), directory


def test_dependabot_knows_every_root_module_and_npm_lock() -> None:
    wanted = {path.rsplit("/", 1)[0] for path in committed() if path.endswith(("/versions.tf", "/package-lock.json"))}
    covered = {
        str(path.relative_to(ROOT))
        for update in read(".github/dependabot.yml")["updates"]
        for directory in update.get("directories", [])
        for path in ROOT.glob(directory.strip("/"))
    }
    assert wanted <= covered


def test_every_owned_path_exists() -> None:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules[0][0] == "*"
    for pattern, *owners in rules[1:]:
        assert (ROOT / pattern.strip("/")).exists(), pattern
        assert owners


@pytest.mark.parametrize("form", ["bug.yml", "change.yml"])
def test_an_issue_form_is_one_that_github_accepts(form: str) -> None:
    """See docs.github.com, "Syntax for issue forms" and "Syntax for GitHub's form schema"."""
    document = read(f".github/ISSUE_TEMPLATE/{form}")
    assert {"name", "description", "body"} <= set(document)
    asked = [field for field in document["body"] if field["type"] != "markdown"]
    assert asked
    assert len({field["id"] for field in asked}) == len(asked)
    for field in asked:
        assert field["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]


def test_every_container_is_pinned_and_listens_on_this_machine_only() -> None:
    services = read("compose.yaml")["services"]
    for name, service in services.items():
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert re.search(r"\d+\.\d+\.\d+|CU\d+", tag), f"{name}: {tag} moves"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert set(service.get("depends_on", [])) <= set(services)


def test_azurite_is_the_one_that_runs_without_a_container() -> None:
    folder = ROOT / "local" / "orderflow_local" / "azure" / "node"
    version = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]["azurite"]
    assert read("compose.yaml")["services"]["azurite"]["image"].endswith(f":{version}")


def test_the_dev_container_has_what_the_workflows_have() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^//.*$", "", text, flags=re.MULTILINE))
    steps = read(".github/workflows/checks.yml")["jobs"]["checks"]["steps"]
    given = {key: value for step in steps for key, value in step.get("with", {}).items()}
    assert container["image"].endswith(f"-{given['python-version']}")
    [terraform] = [options for name, options in container["features"].items() if "/terraform:" in name]
    assert terraform["version"] == given["terraform_version"]
