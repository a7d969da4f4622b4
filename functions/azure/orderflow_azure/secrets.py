"""Key Vault: one vault for each deployment, at ``ORDERFLOW_VAULT_URL``.

Why not azure-keyvault-secrets
    Reading the newest version of a secret is one GET with a token, which azure-core makes
    (learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret); the library would be one more in the package.
Errors
    `Unavailable`, also for a secret that does not exist, for one that this function may not read, and where no vault is
    named.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from orderflow.ports import Unavailable
from orderflow_azure.sdk import Clients, unavailable

if TYPE_CHECKING:
    from azure.core import PipelineClient

API_VERSION = "7.4"
SCOPE = "https://vault.azure.net/.default"


class KeyVaultSecrets:
    """`orderflow.ports.Secrets` over one vault; ``url`` is None where the deployment has no secrets."""

    def __init__(self, clients: Clients, url: str | None) -> None:
        self._clients = clients
        self._url = url

    def read(self, name: str) -> str:
        from azure.core.rest import HttpRequest

        if self._url is None:
            raise Unavailable(f"Key Vault: the secret {name} is wanted, and ORDERFLOW_VAULT_URL is not set")
        with unavailable(f"Key Vault secret {name}"):
            url = f"{self._url.rstrip('/')}/secrets/{name}"
            response = self._vault.send_request(HttpRequest("GET", url, params={"api-version": API_VERSION}))
            if response.status_code != 200:
                raise Unavailable(f"Key Vault secret {name}: HTTP {response.status_code}")
            value: str = response.json()["value"]
            return value

    @cached_property
    def _vault(self) -> PipelineClient[Any, Any]:
        assert self._url is not None
        return self._clients.vault(self._url, SCOPE)
