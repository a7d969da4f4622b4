"""From environment variables to the ports on Azure.

``ORDERFLOW_ARCHIVE_CONTAINER`` and ``ORDERFLOW_DROP_CONTAINER`` name blob containers, ``ORDERFLOW_PREFIX`` begins the
names of tables and queues, ``ORDERFLOW_VAULT_URL`` is there where the function may read a secret;
`orderflow_azure.sdk` says how the services are reached.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from orderflow.claims import ClaimingPublisher
from orderflow.clock import SystemClock
from orderflow.ports import Ports, Publisher
from orderflow.secret import Secret
from orderflow_azure.deadletters import ServiceBusDeadLetters
from orderflow_azure.objects import BlobObjects
from orderflow_azure.publisher import EventGridPublisher
from orderflow_azure.sdk import Clients
from orderflow_azure.secrets import KeyVaultSecrets
from orderflow_azure.store import TablesStore

if TYPE_CHECKING:
    from orderflow.app import App


def bootstrap(environ: Mapping[str, str]) -> Ports:
    """The ports that an environment names. Connects to nothing. Raises `KeyError` naming a variable that is missing."""
    from orderflow import providers

    clients = Clients(environ)
    prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
    store = TablesStore(clients, prefix)
    clock = SystemClock()
    archive = BlobObjects(clients, environ["ORDERFLOW_ARCHIVE_CONTAINER"])
    secrets = KeyVaultSecrets(clients, environ.get("ORDERFLOW_VAULT_URL"))
    topic: Publisher = EventGridPublisher(clients)
    signatures = None
    if environ.get("ORDERFLOW_SIGNATURES", "off") != "off":
        from orderflow.signatures import SECRET, Signatures, SigningPublisher

        signatures = Signatures(Secret(secrets, SECRET, clock))
        topic = SigningPublisher(topic, signatures)
    return Ports(
        store=store,
        publisher=ClaimingPublisher(topic, archive),
        dead_letters=ServiceBusDeadLetters(clients, prefix),
        archive=archive,
        drop=BlobObjects(clients, environ["ORDERFLOW_DROP_CONTAINER"]),
        clock=clock,
        dependencies=providers.from_environment(environ, store, clock, secrets),
        secrets=secrets,
        signatures=signatures,
    )


@cache
def app() -> App:
    """The application of this process."""
    from orderflow import telemetry
    from orderflow.app import App
    from orderflow.settings import Settings

    observer = telemetry.from_environment(os.environ, "azure")
    return App(bootstrap(os.environ), Settings.from_environment(os.environ), observer)
