"""From environment variables to the ports on AWS.

``ORDERFLOW_TOPIC_ARN``, ``ORDERFLOW_QUEUES_URL`` (what the URL of every queue begins with, its last slash included),
``ORDERFLOW_ARCHIVE_BUCKET``, ``ORDERFLOW_DROP_BUCKET``; ``ORDERFLOW_PREFIX`` begins the names of tables and queues.
Where a service is ordered, ``ORDERFLOW_ORDERED_TOPIC_ARN`` and ``ORDERFLOW_ORDERED_SERVICES`` (names with commas
between) are there as well.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from orderflow.claims import ClaimingPublisher
from orderflow.clock import SystemClock
from orderflow.ports import Ports, Publisher
from orderflow.secret import Secret
from orderflow_aws.deadletters import SqsDeadLetters
from orderflow_aws.objects import S3Objects
from orderflow_aws.publisher import SnsPublisher
from orderflow_aws.queues import Queues
from orderflow_aws.sdk import Clients
from orderflow_aws.secrets import SecretsManagerSecrets
from orderflow_aws.store import DynamoStore

if TYPE_CHECKING:
    from orderflow.app import App
    from orderflow.providers import Choice, Make
    from orderflow_aws.ses import SesEmail
    from orderflow_aws.sms import SnsSms


def bootstrap(environ: Mapping[str, str], clients: Clients | None = None) -> Ports:
    """The ports that an environment names, over ``clients`` of that environment, or further ones. Connects to nothing.
    Raises `KeyError` naming a variable that is missing."""
    from orderflow import providers

    clients = clients or Clients(environ)
    prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
    store = DynamoStore(clients, prefix)
    clock = SystemClock()
    archive = S3Objects(clients, environ["ORDERFLOW_ARCHIVE_BUCKET"])
    secrets = SecretsManagerSecrets(clients, prefix)
    topic: Publisher = SnsPublisher(clients, environ["ORDERFLOW_TOPIC_ARN"], environ.get("ORDERFLOW_ORDERED_TOPIC_ARN"))
    signatures = None
    if environ.get("ORDERFLOW_SIGNATURES", "off") != "off":
        from orderflow.signatures import SECRET, Signatures, SigningPublisher

        signatures = Signatures(Secret(secrets, SECRET, clock))
        topic = SigningPublisher(topic, signatures)
    return Ports(
        store=store,
        publisher=ClaimingPublisher(topic, archive),
        dead_letters=SqsDeadLetters(clients, Queues.from_environment(environ)),
        archive=archive,
        drop=S3Objects(clients, environ["ORDERFLOW_DROP_BUCKET"]),
        clock=clock,
        dependencies=providers.from_environment(environ, store, clock, secrets, _own(clients)),
        secrets=secrets,
        signatures=signatures,
    )


def _own(clients: Clients) -> Mapping[str, Mapping[str, Make]]:
    """The providers that only AWS has, imported when they are chosen."""

    def ses(choice: Choice) -> SesEmail:
        from orderflow_aws.ses import SesEmail

        return SesEmail(clients, choice)

    def sns(choice: Choice) -> SnsSms:
        from orderflow_aws.sms import SnsSms

        return SnsSms(clients, choice)

    return {"email": {"ses": ses}, "sms": {"sns": sns}}


@cache
def clients() -> Clients:
    """The SDK's clients of this process."""
    return Clients(os.environ)


@cache
def app() -> App:
    """The application of this process."""
    from orderflow import telemetry
    from orderflow.app import App
    from orderflow.settings import Settings

    observer = telemetry.from_environment(os.environ, "aws")
    return App(bootstrap(os.environ, clients()), Settings.from_environment(os.environ), observer)


def prepare() -> None:
    """Make what every event takes: the application, the service's models, the clients of its store and its topic.

    To be called where Lambda imports the function, before the first event comes: what is made there is made once, with
    provisioned concurrency before anybody waits (docs.aws.amazon.com/lambda/latest/dg/best-practices.html). None of it
    is ever garbage, so the collector does not look for any meanwhile, nor among it later.
    """
    from orderflow.services import build_models

    gc.disable()
    app()
    build_models(os.environ.get("ORDERFLOW_SERVICE"))
    _ = clients().dynamodb, clients().sns
    gc.freeze()
    gc.enable()
