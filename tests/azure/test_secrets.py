"""The secrets port over Key Vault's documented REST API, with the real azure-core."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core import PipelineClient
from azure.core.pipeline.policies import RetryPolicy

from orderflow.ports import Unavailable
from orderflow_azure.sdk import Clients
from orderflow_azure.secrets import API_VERSION, SCOPE, KeyVaultSecrets
from web_stub import Answer, Seen, WebStub


class Unsigned(Clients):
    """Clients that sign in nowhere: a token needs an https endpoint, which the stub is not."""

    def vault(self, url: str, scope: str) -> PipelineClient[Any, Any]:
        assert scope == SCOPE
        return PipelineClient(url, policies=[RetryPolicy(retry_total=0)])


@pytest.fixture
def vault() -> Iterator[WebStub]:
    """A vault with one secret, answering as learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret
    documents."""

    def answer(seen: Seen) -> Answer:
        if (seen.path, seen.query) != ("/secrets/gateway", {"api-version": API_VERSION}):
            return Answer(404, json.dumps({"error": {"code": "SecretNotFound", "message": "not found"}}))
        return Answer(200, json.dumps({"value": "sk_live_ü", "id": "https://v.vault.azure.net/secrets/gateway/1"}))

    with WebStub(answer) as stub:
        yield stub


def test_the_newest_value_is_read_by_the_short_name(vault: WebStub) -> None:
    assert KeyVaultSecrets(Unsigned({}), vault.url).read("gateway") == "sk_live_ü"


def test_a_missing_secret_and_a_store_that_is_down_are_unavailable(vault: WebStub) -> None:
    secrets = KeyVaultSecrets(Unsigned({}), vault.url)
    with pytest.raises(Unavailable, match="email: HTTP 404"):
        secrets.read("email")
    vault.stop()
    with pytest.raises(Unavailable, match=r"Service(Request|Response)Error"):
        secrets.read("gateway")


def test_without_a_vault_it_says_which_variable_is_missing() -> None:
    with pytest.raises(Unavailable, match="ORDERFLOW_VAULT_URL"):
        KeyVaultSecrets(Unsigned({}), None).read("gateway")


def test_the_real_client_signs_in_for_the_vault() -> None:
    client = Clients({"AZURE_CLIENT_ID": "x"}).vault("https://v.vault.azure.net", SCOPE)
    assert "BearerTokenCredentialPolicy" in repr([type(each) for each in client._pipeline._impl_policies])
