"""The queues' URLs: ``<prefix>-<service>`` and ``<prefix>-<service>-dlq``, and for a service whose events are in order
both with the ``.fifo`` that SQS asks for
(docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

_FIFO = ".fifo"


class Queues:
    """The queues below one base URL, its last slash included; ``ordered`` names the services whose events are in
    order."""

    def __init__(self, base_url: str, prefix: str, ordered: Collection[str] = ()) -> None:
        self._base = f"{base_url}{prefix}-"
        self._ordered = ordered

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read ``ORDERFLOW_QUEUES_URL``, ``ORDERFLOW_PREFIX`` and, where a service is ordered,
        ``ORDERFLOW_ORDERED_SERVICES``, their names with commas between. Raises `KeyError`."""
        prefix = environ.get("ORDERFLOW_PREFIX", "orderflow")
        ordered = environ.get("ORDERFLOW_ORDERED_SERVICES", "")
        return cls(environ["ORDERFLOW_QUEUES_URL"], prefix, ordered.split(","))

    def of(self, service: str) -> str:
        """The URL of a service's queue."""
        return f"{self._base}{service}{self._suffix(service)}"

    def dead_letters_of(self, service: str) -> str:
        """The URL of a service's dead-letter queue, which is as its queue is: SQS moves a message to no other."""
        return f"{self._base}{service}-dlq{self._suffix(service)}"

    def _suffix(self, service: str) -> str:
        return _FIFO if service in self._ordered else ""


def is_fifo(url: str) -> bool:
    """Whether a queue keeps order."""
    return url.endswith(_FIFO)
