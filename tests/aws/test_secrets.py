"""The secrets port on Secrets Manager, answered by moto."""

from __future__ import annotations

import pytest

from orderflow.ports import Unavailable
from orderflow_aws.sdk import Clients
from orderflow_aws.secrets import SecretsManagerSecrets


def test_the_newest_value_is_read_by_the_short_name(clients: Clients) -> None:
    clients.secrets.create_secret(Name="orderflow-dev-gateway", SecretString="first")
    clients.secrets.put_secret_value(SecretId="orderflow-dev-gateway", SecretString="second")
    assert SecretsManagerSecrets(clients, "orderflow-dev").read("gateway") == "second"


def test_a_secret_that_is_missing_or_has_no_value_yet_is_unavailable(clients: Clients) -> None:
    clients.secrets.create_secret(Name="orderflow-dev-empty")
    secrets = SecretsManagerSecrets(clients, "orderflow-dev")
    for name in ("empty", "nowhere"):
        with pytest.raises(Unavailable, match=f"orderflow-dev-{name}: ResourceNotFoundException"):
            secrets.read(name)
