"""The deploy guides name only what is there, and answer the errors that the command knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orderflow_cli.hints import Place, hint

ROOT = Path(__file__).parents[2]
CLOUDS = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
OURS = {
    "the code is not published everywhere": "cli/orderflow_cli/publish.py",
    "The project's billing account cannot be seen": "terraform/gcp/modules/budget/main.tf",
}
"""Errors that say by themselves what to do, and where they are written."""


def guide(cloud: str) -> str:
    return (ROOT / "docs" / "deploy" / f"{cloud}.md").read_text(encoding="utf-8")


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_guides_are_laid_out_alike(cloud: str) -> None:
    assert guide(cloud).startswith(f"# Deploy to {CLOUDS[cloud]}\n")
    assert headings(guide(cloud)) == headings(guide("aws"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_make_target_and_its_cloud_exist(cloud: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"make (\w+) +CLOUD=(\w+) ENV=(\w+)", guide(cloud))
    assert {target for target, _, _ in commands} == {"plan", "deploy", "outputs", "destroy"}
    for target, of, environment in commands:
        assert of == cloud
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
        assert list((ROOT / "terraform" / cloud / "environments").glob(f"{environment}.tfvars"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_file_and_folder_that_is_named_exists(cloud: str) -> None:
    text = guide(cloud)
    for path in set(re.findall(r"(?<![/.\w])terraform/[\w./-]+\w", text)):
        assert (ROOT / path).exists(), path
    for link in re.findall(r"\]\((\.\./[^)#]+)\)", text):
        assert (ROOT / "docs" / "deploy" / link).exists(), link
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings(text)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_variable_that_the_bootstrap_is_given_is_one_of_its_own(cloud: str) -> None:
    declared = (ROOT / "terraform" / "bootstrap" / cloud / "variables.tf").read_text(encoding="utf-8")
    given = re.findall(r'-var "?(\w+)=', guide(cloud))
    assert given
    for name in [*given, *re.findall(r"\bstate_users\b", guide(cloud))]:
        assert f'variable "{name}"' in declared, name


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_repository_variable_of_the_workflows_is_explained(cloud: str) -> None:
    workflows = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    used = set(re.findall(r"\bvars\.(\w+)", workflows))
    ours = {name for name in used if name == "CLOUDS" or name.startswith(f"{cloud.upper()}_")}
    assert len(ours) > 3
    assert ours <= set(re.findall(r"`([A-Z_]+)`", guide(cloud)))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_errors_of_a_guide_are_those_that_the_command_knows_with_their_exit_codes(cloud: str) -> None:
    place = Place(cloud, "dev", "data")
    text = guide(cloud).partition("## What goes wrong")[2]
    errors = re.findall(r"^\*\*`(.+)`\*\* \((?:exit code )?([\d or]+)\)", text, re.MULTILINE)
    assert len(errors) >= 4
    for words, codes in errors:
        code, what_to_do = hint(words.replace("...", "x"), place)
        assert str(int(code)) in codes.split(" or "), words
        if not what_to_do:
            [source] = [path for own, path in OURS.items() if words.startswith(own)]
            assert words.removesuffix(": ...") in (ROOT / source).read_text(encoding="utf-8")
