"""How the package gets to the Azure function apps, with an SCM host in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.conftest import Program
from orderflow_cli.hints import Exit
from orderflow_cli.publish import TRIES, Group, PublishFailed, deploy_to, publish

GROUP = Group("1234", "orderflow-dev")
HOST = "orderflow-dev-order.scm.azurewebsites.net"


class Scm:
    """An SCM host that answers deployments from a list: a status of the deployment, or a code of HTTP."""

    def __init__(self, publications: list[int], deployments: list[int | httpx.Response]) -> None:
        self.requests: list[httpx.Request] = []
        self.publications = publications
        self.deployments = deployments

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "POST":
            return httpx.Response(self.publications.pop(0), json="42")
        told = self.deployments.pop(0)
        return told if isinstance(told, httpx.Response) else httpx.Response(200, json={"status": told})


def deploy(scm: Callable[[httpx.Request], httpx.Response]) -> Iterator[float]:
    pauses: list[float] = []
    with httpx.Client(transport=httpx.MockTransport(scm)) as client:
        deploy_to(client, HOST, b"zip", pauses.append)
    return iter(pauses)


def test_the_zip_is_posted_as_it_is_and_nothing_is_built_again() -> None:
    scm = Scm([202], [1, 2, 4])

    deploy(scm)

    post, *looks = scm.requests
    assert str(post.url) == f"https://{HOST}/api/publish?RemoteBuild=false&Deployer=orderflow"
    assert post.content == b"zip"
    assert {str(look.url) for look in looks} == {f"https://{HOST}/api/deployments/42"}


def test_a_worker_that_is_gone_after_it_was_seen_has_ended_its_work() -> None:
    deploy(Scm([202], [2, httpx.Response(404)]))


@pytest.mark.parametrize(
    "scm",
    [Scm([503, 202], [4]), Scm([202, 202], [3, 4]), Scm([409, 202], [4])],
    ids=["not there yet", "a role that does not hold yet", "another deployment"],
)
def test_what_fails_at_first_is_tried_again_after_a_pause(scm: Scm) -> None:
    assert max(deploy(scm)) >= 10


def test_a_host_that_never_takes_it_is_given_up_with_its_words() -> None:
    scm = Scm([403] * TRIES, [])

    with pytest.raises(PublishFailed, match=f"{HOST} answered 403"):
        deploy(scm)
    assert len(scm.requests) == TRIES


def test_every_app_gets_the_package_at_its_own_scm_host(
    az: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "azure.zip"
    package.write_bytes(b"zip")
    seen = []
    monkeypatch.setattr("orderflow_cli.publish.deploy_to", lambda client, host, content: seen.append((host, content)))
    said: list[str] = []

    publish(GROUP, ["orderflow-dev-order", "orderflow-dev-payment"], package, said.append)

    assert sorted(seen) == [(HOST, b"zip"), ("orderflow-dev-payment.scm.azurewebsites.net", b"zip")]
    assert said == ["published orderflow-dev-order", "published orderflow-dev-payment"]
    assert all("--subscription 1234" in call for call in az.calls), (
        "not the one that the Azure CLI happens to be set to"
    )


def test_one_app_that_fails_is_named_and_the_others_are_published(
    az: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "azure.zip"
    package.write_bytes(b"zip")

    def refuse_one(client: object, host: str, content: bytes) -> None:
        if host == HOST:
            raise PublishFailed(f"{host} answered 403")

    monkeypatch.setattr("orderflow_cli.publish.deploy_to", refuse_one)
    said: list[str] = []

    with pytest.raises(PublishFailed, match=r"orderflow-dev-order: .* answered 403(?s:.*)run make deploy again"):
        publish(GROUP, ["orderflow-dev-order", "orderflow-dev-payment"], package, said.append)
    assert said == ["published orderflow-dev-payment"]


def test_an_app_that_azure_does_not_have_is_named(az: Program, tmp_path: Path) -> None:
    with pytest.raises(PublishFailed, match="no function app orderflow-dev-fraud"):
        publish(GROUP, ["orderflow-dev-fraud"], tmp_path / "azure.zip", print)


def test_who_is_not_signed_in_is_told_to_sign_in(az: Program, tmp_path: Path) -> None:
    az.says("functionapp", err="ERROR: Please run 'az login' to setup account.", code=1)

    with pytest.raises(PublishFailed, match="-> sign in: az login") as raised:
        publish(GROUP, ["orderflow-dev-order"], tmp_path / "azure.zip", print)
    assert raised.value.code == Exit.SIGN_IN
