"""The scripts in the GitHub workflows, run as GitHub runs them, with programs in the place of `make` and `gh`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cli.conftest import PLAN, install

WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"

pytestmark = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed; GitHub's runners have it")


SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
"""What GitHub runs a script with, by the shell that is asked for (docs.github.com, workflow syntax,
defaults.run.shell)."""


def run(workflow: str, job: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the last script of a job."""
    document = yaml.safe_load((WORKFLOWS / f"{workflow}.yml").read_text())
    shell = document.get("defaults", {}).get("run", {}).get("shell")
    return subprocess.run(
        [*SHELLS[shell], "-c", document["jobs"][job]["steps"][-1]["run"]],
        cwd=folder,
        env={"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    uses = [
        line.strip() for path in WORKFLOWS.glob("*.yml") for line in path.read_text().splitlines() if "uses:" in line
    ]
    assert uses
    for line in uses:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_the_same_action_is_pinned_to_the_same_commit_everywhere() -> None:
    pins = re.findall(r"uses: ([\w./-]+)@(\S+)", "".join(path.read_text() for path in WORKFLOWS.glob("*.yml")))
    assert len(set(pins)) == len({action for action, _ in pins})


def test_a_plan_is_handed_on_under_the_name_of_its_cloud(tmp_path: Path) -> None:
    (tmp_path / "made.json").write_text(json.dumps(PLAN))
    install("make", tmp_path, "#!/bin/sh\necho the summary\ncp made.json plan.json\n")

    done = run("plan", "plan", tmp_path, CLOUD="gcp", GITHUB_OUTPUT=str(tmp_path / "output"))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "output").read_text().splitlines() == [
        "gcp<<END_OF_PLAN",
        "the summary",
        'create: module.messaging.queue.this["order"]',
        "create: module.budget.this",
        "END_OF_PLAN",
    ]


def test_a_plan_that_fails_is_a_failed_job(tmp_path: Path) -> None:
    """Even one that has written its file: a pipe would hide it."""
    install("make", tmp_path, "#!/bin/sh\necho '{}' > plan.json\nexit 4\n")

    assert run("plan", "plan", tmp_path, CLOUD="gcp", GITHUB_OUTPUT=str(tmp_path / "output")).returncode != 0


@pytest.mark.parametrize(
    ("earlier", "method", "path"),
    [("", "POST", "repos/acme/orders/issues/7/comments"), ("12", "PATCH", "repos/acme/orders/issues/comments/12")],
)
def test_the_plans_are_one_comment_which_the_next_push_rewrites(
    tmp_path: Path, earlier: str, method: str, path: str
) -> None:
    install("gh", tmp_path, f'#!/bin/sh\necho "$@" >> calls\ncase "$*" in *--paginate*) echo "{earlier}";; esac\n')
    plans = {"aws": "4 to create\n```<script>", "azure": "", "gcp": "nothing"}

    done = run(
        "plan",
        "comment",
        tmp_path,
        GITHUB_REPOSITORY="acme/orders",
        NUMBER="7",
        PLANS=json.dumps(plans),
        RESULT="success",
        RUN="https://github.example/run",
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text().splitlines()[-1] == (
        f"api --silent --method {method} {path} --field body=@comment.md"
    )
    comment = (tmp_path / "comment.md").read_text()
    assert comment.startswith("<!-- terraform plan -->\n")
    assert "<summary>aws</summary>" in comment
    assert "<summary>azure</summary>" not in comment
    assert comment.count("```") == 4, "a plan cannot end its own block"


def lock_script(folder: Path, *, changed: bool, open_already: bool) -> list[str]:
    """Run the last step of the locks workflow in a checkout, and answer what it asked of `gh`."""
    git = {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]

    def run_git(*words: str, cwd: Path) -> None:
        subprocess.run(["git", *identity, *words], cwd=cwd, env={**os.environ, **git}, check=True, capture_output=True)

    origin, checkout, programs = folder / "origin.git", folder / "checkout", folder / "bin"
    programs.mkdir()
    run_git("init", "--bare", "--initial-branch=main", str(origin), cwd=folder)
    run_git("clone", str(origin), str(checkout), cwd=folder)
    (checkout / "requirements.lock").write_text("orjson==1\n")
    run_git("add", "--all", cwd=checkout)
    run_git("commit", "--message", "Begin", cwd=checkout)
    if changed:
        (checkout / "requirements.lock").write_text("orjson==2\n")
    state = "OPEN" if open_already else "CLOSED"
    install("gh", programs, f'#!/bin/sh\necho "$1 $2" >> {folder}/asked\n[ "$2" != view ] || echo {state}\n')
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    done = run("locks", "locks", checkout, **git, PATH=path, BASE="main")

    assert done.returncode == 0, done.stderr
    show = ["git", "show", "locks:requirements.lock"]
    pushed = subprocess.run(show, cwd=origin, capture_output=True, text=True, check=False)
    assert pushed.stdout == ("orjson==2\n" if changed else "")
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


def test_packages_that_moved_become_one_pull_request(tmp_path: Path) -> None:
    assert lock_script(tmp_path, changed=True, open_already=False) == ["auth setup-git", "pr view", "pr create"]


def test_packages_that_moved_again_join_the_pull_request_that_is_open(tmp_path: Path) -> None:
    assert lock_script(tmp_path, changed=True, open_already=True) == ["auth setup-git", "pr view"]


def test_packages_that_did_not_move_ask_for_nothing(tmp_path: Path) -> None:
    assert lock_script(tmp_path, changed=False, open_already=False) == []
