"""Secrets Manager, where the secret ``<name>`` is called ``<prefix>-<name>``.

Consistency
    A new value may take a moment to be seen everywhere
    (docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html).
Errors
    `Unavailable`, also for a secret without a value and for one that this function may not read.
"""

from __future__ import annotations

from orderflow_aws.sdk import Clients, unavailable


class SecretsManagerSecrets:
    """`orderflow.ports.Secrets` over the secrets of one deployment."""

    def __init__(self, clients: Clients, prefix: str) -> None:
        self._clients = clients
        self._prefix = prefix

    def read(self, name: str) -> str:
        with unavailable(f"Secrets Manager GetSecretValue {self._prefix}-{name}"):
            return self._clients.secrets.get_secret_value(SecretId=f"{self._prefix}-{name}")["SecretString"]
