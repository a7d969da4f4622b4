"""Who knows one Terraform root knows all: the three differ only where the clouds do. Read without running Terraform."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from orderflow.settings import Settings

ROOT = Path(__file__).parents[2] / "terraform"
CLOUDS = ("aws", "azure", "gcp")
OF_THE_CLOUD = {
    "account_id": r"\n  validation \{.*?\n  \}\n",  # an account id, a subscription id, a project id
    "package_file": r'"../../dist/(aws|azure|gcp)\.zip"| && fileexists\([^\n]*',  # two on AWS
    "region": r"\n  validation \{.*?\n  \}\n",
}
"""What may differ in a variable, as an expression that matches it."""
OIDC = {"issuer", "audience", "jwks_url"}
"""Settings that have a variable of their own."""


def blocks(cloud: str, file: str, kind: str) -> dict[str, str]:
    """The top-level blocks of a kind in a formatted file, each in full, by name, in their order."""
    text = (ROOT / cloud / file).read_text(encoding="utf-8")
    found = re.finditer(rf'^{kind} "(\w+)" \{{\n.*?^\}}$', text, re.MULTILINE | re.DOTALL)
    return {match[1]: match[0] for match in found}


def variables(cloud: str) -> dict[str, str]:
    """The root's variables, less what is the cloud's own."""
    return {
        name: re.sub(OF_THE_CLOUD[name], "", text, flags=re.DOTALL) if name in OF_THE_CLOUD else text
        for name, text in blocks(cloud, "variables.tf", "variable").items()
    }


def descriptions(cloud: str) -> dict[str, str | None]:
    """The root's outputs and what they say of themselves."""
    said = {}
    for name, text in blocks(cloud, "outputs.tf", "output").items():
        match = re.search(r'^  description = "(.+)"$', text, re.MULTILINE)
        said[name] = match and match[1]
    return said


@pytest.mark.parametrize("cloud", CLOUDS[1:])
def test_every_root_takes_the_same_variables_of_the_same_type_default_and_validation(cloud: str) -> None:
    assert variables(cloud) == variables("aws")


@pytest.mark.parametrize("cloud", CLOUDS[1:])
def test_every_root_answers_the_same_outputs_with_the_same_words(cloud: str) -> None:
    assert descriptions(cloud) == descriptions("aws")


@pytest.mark.parametrize("cloud", CLOUDS[1:])
def test_every_root_is_made_of_the_same_modules(cloud: str) -> None:
    assert set(blocks(cloud, "main.tf", "module")) == set(blocks("aws", "main.tf", "module"))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_variable_and_output_is_described_and_in_alphabetical_order(cloud: str) -> None:
    for file, kind in (("variables.tf", "variable"), ("outputs.tf", "output")):
        found = blocks(cloud, file, kind)
        assert found, file
        assert list(found) == sorted(found)
        for name, text in found.items():
            assert re.search(r'^  description = ".+"$', text, re.MULTILINE), f"{name} says nothing of itself"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_settings_are_those_that_the_functions_read(cloud: str) -> None:
    text = blocks(cloud, "variables.tf", "variable")["settings"]
    allowed = set(re.findall(r'^      "(\w+)",$', text, re.MULTILINE))
    assert allowed == {field.name for field in fields(Settings)} - OIDC


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_an_environment_means_the_same_on_every_cloud(cloud: str, environment: str) -> None:
    def given(cloud: str) -> list[str]:
        lines = (ROOT / cloud / "environments" / f"{environment}.tfvars").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith(("region ", "# The "))]

    assert given(cloud) == given("aws")
