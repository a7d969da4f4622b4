"""The SDK clients of one process, made on first use, and how their errors become `orderflow.ports.Unavailable`.

Which credential
    Each connection is named by one variable as Azure Functions names connections: ``ORDERFLOW_SERVICEBUS`` and
    ``ORDERFLOW_STORAGE`` hold connection strings (local clouds), ``ORDERFLOW_SERVICEBUS__fullyQualifiedNamespace``,
    ``ORDERFLOW_STORAGE__tableServiceUri`` and ``ORDERFLOW_STORAGE__blobServiceUri`` name services that are asked with
    the process's identity (deployed;
    learn.microsoft.com/azure/azure-functions/functions-reference#configure-an-identity-based-connection).
    ``ORDERFLOW_EVENTGRID_KEY`` is optional beside ``ORDERFLOW_EVENTGRID_ENDPOINT`` in the same way.
    `azure.identity` finds a user-assigned identity by ``AZURE_CLIENT_ID``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from orderflow.ports import Unavailable

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.credentials import TokenCredential
    from azure.data.tables import TableServiceClient
    from azure.eventgrid import EventGridPublisherClient
    from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver, ServiceBusSender
    from azure.storage.blob import BlobServiceClient

_HTTP: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 10, "retry_total": 3, "retry_backoff_max": 2}
"""Seconds; a fraction of a function's time, so that a message can still be given back."""

_HTTP_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "requests_ca_bundle", "curl_ca_bundle")


class Clients:
    """Clients by service. Making one of these connects to nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._senders: dict[str, tuple[ServiceBusSender, Lock]] = {}
        self._receivers: dict[tuple[str, bool], tuple[ServiceBusReceiver, Lock]] = {}
        self._lock = Lock()

    @cached_property
    def tables(self) -> TableServiceClient:
        from azure.data.tables import TableServiceClient

        if connection := self._environ.get("ORDERFLOW_STORAGE"):
            return TableServiceClient.from_connection_string(connection, **self._http())
        endpoint = self._environ["ORDERFLOW_STORAGE__tableServiceUri"]
        return TableServiceClient(endpoint, credential=self._credential, **self._http())

    @cached_property
    def blobs(self) -> BlobServiceClient:
        from azure.storage.blob import BlobServiceClient

        if connection := self._environ.get("ORDERFLOW_STORAGE"):
            return BlobServiceClient.from_connection_string(connection, **self._http())
        endpoint = self._environ["ORDERFLOW_STORAGE__blobServiceUri"]
        return BlobServiceClient(endpoint, credential=self._credential, **self._http())

    @cached_property
    def topic(self) -> EventGridPublisherClient:
        from azure.core.credentials import AzureKeyCredential
        from azure.eventgrid import EventGridPublisherClient

        endpoint = self._environ["ORDERFLOW_EVENTGRID_ENDPOINT"]
        key = self._environ.get("ORDERFLOW_EVENTGRID_KEY")
        return EventGridPublisherClient(endpoint, AzureKeyCredential(key) if key else self._credential, **self._http())

    def vault(self, url: str, scope: str) -> PipelineClient[Any, Any]:
        """An HTTP client that signs in to a key vault with the process's identity."""
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy

        policies = [
            RetryPolicy(retry_total=3, retry_backoff_max=2),
            BearerTokenCredentialPolicy(self._credential, scope),
        ]
        return PipelineClient(url, policies=policies, **self._http())

    def send(self, queue: str, messages: list[ServiceBusMessage]) -> None:
        """Send to a Service Bus queue, in as few calls as its message size allows. Raises `Unavailable`.

        Senders are kept, because opening one costs several round trips, and used by one thread at a time: they are not
        thread-safe (learn.microsoft.com/python/api/overview/azure/servicebus-readme#thread-safety).
        """
        with self._lock:
            if queue not in self._senders:
                self._senders[queue] = (self._service_bus.get_queue_sender(queue), Lock())
            sender, turn = self._senders[queue]
        with turn, unavailable(f"Service Bus send to {queue}"):
            _send(sender, messages)

    @contextmanager
    def receiver(self, queue: str, *, native_dead_letters: bool = False) -> Iterator[ServiceBusReceiver]:
        """A receiver for the length of a block, kept like a sender; it is closed where the block raises, because it may
        have been promised messages that nobody would look at."""
        from azure.servicebus import ServiceBusSubQueue

        key = (queue, native_dead_letters)
        with self._lock:
            if key not in self._receivers:
                sub_queue = ServiceBusSubQueue.DEAD_LETTER if native_dead_letters else None
                self._receivers[key] = (self._service_bus.get_queue_receiver(queue, sub_queue=sub_queue), Lock())
            receiver, turn = self._receivers[key]
        with turn:
            try:
                yield receiver
            except BaseException:
                with self._lock:
                    self._receivers.pop(key, None)
                receiver.close()
                raise

    def new_receiver(self, queue: str) -> ServiceBusReceiver:
        """A receiver that the caller closes. Nothing is promised to it while nobody looks, as to one that is kept."""
        return self._service_bus.get_queue_receiver(queue)

    def _http(self) -> dict[str, Any]:
        """Options of an HTTP client. The environment is asked for proxies and certificates once: `requests` would ask
        for each request, which is a fifth of what a request to Tables costs."""
        from azure.core.pipeline.transport import RequestsTransport

        asks = any(name.lower() in _HTTP_VARIABLES for name in self._environ)
        return {"transport": RequestsTransport(use_env_settings=asks), **_HTTP}

    @cached_property
    def _service_bus(self) -> ServiceBusClient:
        from azure.servicebus import ServiceBusClient

        if connection := self._environ.get("ORDERFLOW_SERVICEBUS"):
            return ServiceBusClient.from_connection_string(connection)
        namespace = self._environ["ORDERFLOW_SERVICEBUS__fullyQualifiedNamespace"]
        return ServiceBusClient(namespace, self._credential)

    @cached_property
    def _credential(self) -> TokenCredential:
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential()


def _send(sender: ServiceBusSender, messages: list[ServiceBusMessage]) -> None:
    from azure.servicebus.exceptions import MessageSizeExceededError

    batch = sender.create_message_batch()
    for message in messages:
        try:
            batch.add_message(message)
        except MessageSizeExceededError:
            if not len(batch):
                raise
            sender.send_messages(batch)
            batch = sender.create_message_batch()
            batch.add_message(message)
    sender.send_messages(batch)


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Raise `Unavailable` for whatever an Azure client raises: no answer, no permission, no credentials."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise Unavailable(f"{what}: {type(error).__name__}: {str(error)[:300]}") from error
