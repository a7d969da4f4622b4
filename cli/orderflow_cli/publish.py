"""Hand the package to the Azure function apps.

A Flex Consumption app takes code only by *one deploy*
(learn.microsoft.com/azure/azure-functions/functions-deployment-technologies): POST the zip to ``/api/publish`` of the
app's SCM host, answered with 202 and an id to ask after.
The Azure CLI does the same in ``az functionapp deployment source config-zip``, but for Python apps always with a remote
build (``build_remote or runtime == 'python'`` in its module appservice), which would install other packages than the
locked ones in the zip. So the CLI only says who one is, and where the apps are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx

from orderflow_cli.hints import Exit

TRIES = 5
"""How often an app is tried: a new app's SCM host, and its identity's role on the storage, take minutes to be there."""
PAUSE_S = 30.0
POLLS = 300
"""Looks at a deployment, one a second, before it is given up."""

_SUCCESS, _FAILED = 4, 3  # azure-dev, cli/azd/pkg/azsdk/funcapp_host_client.go


class PublishFailed(RuntimeError):
    """The code is not, or not everywhere, published: why, and what to do."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


class _Again(RuntimeError):
    """An app did not take the package this time; the message is its words."""


def check_tools() -> None:
    """Raises `PublishFailed` where the Azure CLI is not installed."""
    if shutil.which("az") is None:
        raise PublishFailed(
            "the Azure CLI (az) is not installed, and without it no code can be published: "
            "learn.microsoft.com/cli/azure/install-azure-cli, then az login",
            Exit.MISSING,
        )


@dataclass(frozen=True, slots=True)
class Group:
    """A resource group, whatever subscription the Azure CLI is set to."""

    subscription: str
    name: str

    @classmethod
    def of(cls, resource_id: str) -> Self:
        """The resource group of a resource: ``/subscriptions/<id>/resourceGroups/<name>/...``."""
        _, _, subscription, _, name, *_ = resource_id.split("/")
        return cls(subscription, name)


def publish(group: Group, apps: Iterable[str], package: Path, say: Callable[[str], None]) -> None:
    """Publish a package to function apps of a resource group, some at a time. Raises `PublishFailed`."""
    hosts = _hosts(group)
    missing = sorted(set(apps) - set(hosts))
    if missing:
        raise PublishFailed(f"the resource group {group.name} has no function app {', '.join(missing)}")
    token = _az("account", "get-access-token", "--subscription", group.subscription, "--query", "accessToken")
    content = package.read_bytes()
    with (
        httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=600) as client,
        ThreadPoolExecutor(max_workers=4) as pool,
    ):
        started = {app: pool.submit(deploy_to, client, hosts[app], content) for app in sorted(apps)}
        failed = {}
        for app, future in started.items():
            try:
                future.result()
                say(f"published {app}")
            except PublishFailed as error:
                failed[app] = str(error)
    if failed:
        words = "\n".join(f"{app}: {why}" for app, why in failed.items())
        raise PublishFailed(
            f"the code is not published everywhere:\n{words}\n"
            "-> roles and hosts of new apps take minutes: wait, then run make deploy again. It changes nothing twice."
        )


def deploy_to(client: httpx.Client, host: str, content: bytes, pause: Callable[[float], None] = time.sleep) -> None:
    """Publish to one app's SCM host, again after a pause where it fails. Raises `PublishFailed` after the last try."""
    for left in reversed(range(TRIES)):
        try:
            _once(client, host, content, pause)
            return
        except (_Again, httpx.TransportError) as error:
            if not left:
                raise PublishFailed(str(error)) from None
            pause(PAUSE_S)


def _once(client: httpx.Client, host: str, content: bytes, pause: Callable[[float], None]) -> None:
    answer = client.post(
        f"https://{host}/api/publish",
        params={"RemoteBuild": "false", "Deployer": "orderflow"},
        headers={"content-type": "application/zip"},
        content=content,
    )
    if answer.status_code != httpx.codes.ACCEPTED:
        raise _Again(f"{host} answered {answer.status_code}: {answer.text[:300]}")
    seen = False
    for _ in range(POLLS):
        told = client.get(f"https://{host}/api/deployments/{answer.json()}")
        if told.status_code == httpx.codes.NOT_FOUND and seen:
            return  # The deploying worker is gone when it is done (azure-dev, as above).
        if told.is_success:
            seen = True
            state = told.json()
            if state.get("status") == _SUCCESS:
                return
            if state.get("status") == _FAILED:
                raise _Again(f"{host}: {state.get('status_text') or 'the deployment failed'}")
        pause(1)
    raise _Again(f"{host}: the deployment does not end")


def _hosts(group: Group) -> dict[str, str]:
    """The SCM host of each function app of a resource group."""
    where = ("--subscription", group.subscription, "--resource-group", group.name)
    apps = json.loads(_az("functionapp", "list", *where, output="json"))
    return {
        app["name"]: state["name"]
        for app in apps
        for state in app.get("hostNameSslStates") or []
        if state.get("hostType") == "Repository"
    }


def _az(*arguments: str, output: str = "tsv") -> str:
    check_tools()
    run = subprocess.run(["az", *arguments, "--output", output], capture_output=True, text=True, check=False)
    if run.returncode:
        words = run.stderr.strip()
        signed_out = "az login" in words
        hint = "\n-> sign in: az login" if signed_out else ""
        raise PublishFailed(f"az {' '.join(arguments)}:\n{words}{hint}", Exit.SIGN_IN if signed_out else Exit.FAILED)
    return run.stdout.strip()
