"""The conformance suite against a deployment, as its Terraform outputs describe it: here one that runs locally, so that
what a deployed run reads and leaves out is shown without an account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orderflow_local.fleet import AUDIENCE, Fleet

pytestmark = pytest.mark.local_cloud

TOKEN = """import sys, urllib.parse, urllib.request
print(urllib.request.urlopen(sys.argv[1] + urllib.parse.quote(sys.argv[2])).read().decode())
"""


def test_the_suite_finds_a_deployment_by_its_outputs_and_says_what_it_cannot_do_there(tmp_path: Path) -> None:
    with Fleet(["gcp"]) as fleet:
        fleet.start(lambda _cloud, _line: None)
        outputs = {"api_url": fleet.clouds["gcp"].api_url, "environment": fleet.clouds["gcp"].environment()}
        file, token = tmp_path / "outputs.json", tmp_path / "token.py"
        file.write_text(json.dumps({name: {"value": value} for name, value in outputs.items()}))
        token.write_text(TOKEN)
        issuer = f"{fleet.issuer.url}/token?aud={AUDIENCE}&sub="
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "CONFORMANCE_CLOUD": "gcp",
            "CONFORMANCE_TARGET": "deployed",
            "CONFORMANCE_OUTPUTS": str(file),
            "ORDERFLOW_TOKEN_COMMAND": f"{sys.executable} {token} '{issuer}'",
        }
        chosen = "inserted or confirmed_and_shipped or die_at_any_moment or arrives_as_it_was"
        command = [sys.executable, "-m", "pytest", "tests/conformance", "-p", "no:cacheprovider", "-k", chosen]

        run = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False, env=environ)

    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert "a deployed cloud's hosts cannot be killed" in run.stdout
    assert "3 passed, 2 skipped" in run.stdout
