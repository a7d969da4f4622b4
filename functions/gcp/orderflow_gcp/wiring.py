"""Which of Google Cloud's services stands behind which port."""

from __future__ import annotations

import functools
import gc
import os
from collections.abc import Mapping

from orderflow import telemetry
from orderflow.app import App
from orderflow.claims import ClaimingPublisher
from orderflow.clock import SystemClock
from orderflow.ports import Ports, Publisher
from orderflow.providers import from_environment
from orderflow.secret import Secret
from orderflow.services import build_models
from orderflow.settings import Settings
from orderflow_gcp.deadletters import PubSubDeadLetters
from orderflow_gcp.objects import GcsObjects
from orderflow_gcp.publisher import PubSubPublisher
from orderflow_gcp.secrets import SecretManagerSecrets
from orderflow_gcp.store import FirestoreStore


def bootstrap(environ: Mapping[str, str]) -> Ports:
    """Make the ports from ``GOOGLE_CLOUD_PROJECT`` and ``ORDERFLOW_*``. No client is made before it is used; the SDKs
    find emulators by their own variables. ``ORDERFLOW_ORDERING_REGION`` is there where a service is ordered. Raises
    `KeyError` naming a variable that is missing."""
    project = environ["GOOGLE_CLOUD_PROJECT"]
    prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
    clock = SystemClock()
    store = FirestoreStore(project, environ.get("ORDERFLOW_FIRESTORE_DATABASE", "(default)"), prefix)
    archive = GcsObjects(project, environ["ORDERFLOW_ARCHIVE_BUCKET"])
    secrets = SecretManagerSecrets(project, prefix)
    topic: Publisher = PubSubPublisher(project, prefix, environ.get("ORDERFLOW_ORDERING_REGION"))
    signatures = None
    if environ.get("ORDERFLOW_SIGNATURES", "off") != "off":
        from orderflow.signatures import SECRET, Signatures, SigningPublisher

        signatures = Signatures(Secret(secrets, SECRET, clock))
        topic = SigningPublisher(topic, signatures)
    return Ports(
        store=store,
        publisher=ClaimingPublisher(topic, archive),
        dead_letters=PubSubDeadLetters(project, prefix),
        archive=archive,
        drop=GcsObjects(project, environ["ORDERFLOW_DROP_BUCKET"]),
        clock=clock,
        dependencies=from_environment(environ, store, clock, secrets),
        secrets=secrets,
        signatures=signatures,
    )


@functools.cache
def app() -> App:
    """The application of this process."""
    observer = telemetry.from_environment(os.environ, "gcp")
    return App(bootstrap(os.environ), Settings.from_environment(os.environ), observer)


def prepare() -> None:
    """Import what every event takes: the SDKs of the store and the topic, and the models of the service.

    To be called where the server imports the function, before it forks. The clients are made afterwards, because a
    channel of gRPC is no good in another process (github.com/grpc/grpc/blob/master/doc/fork_support.md). None of what
    was imported is ever garbage, so the collector, which ``main.py`` stopped, does not look among it later.
    """
    import google.cloud.firestore_v1.services.firestore.transports
    import google.pubsub_v1  # noqa: F401

    build_models(os.environ.get("ORDERFLOW_SERVICE"))
    gc.freeze()
    gc.enable()
