"""`orderflow.ports.Objects` on a Cloud Storage bucket.

Delivery semantics
    Reads, overwrites and listings are strongly consistent (cloud.google.com/storage/docs/consistency). The SDK repeats
    reads by itself; an upload without a generation condition is not repeated.

Limits
    One write a second to the same object name (cloud.google.com/storage/quotas).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from orderflow_gcp.errors import unavailable

if TYPE_CHECKING:
    from google.cloud.storage import Bucket

_TIMEOUT_SECONDS = 20.0


class GcsObjects:
    """One bucket. The client is made on first use, after the server has forked."""

    def __init__(self, project: str, bucket: str) -> None:
        self._project = project
        self._name = bucket

    def put(self, name: str, data: bytes) -> None:
        with unavailable(f"storage put {name}"):
            self._bucket.blob(name).upload_from_string(
                data, content_type="application/octet-stream", timeout=_TIMEOUT_SECONDS
            )

    def get(self, name: str) -> bytes:
        from google.api_core.exceptions import NotFound

        with unavailable(f"storage get {name}"):
            try:
                data: bytes = self._bucket.blob(name).download_as_bytes(timeout=_TIMEOUT_SECONDS)
            except NotFound:
                raise KeyError(name) from None
        return data

    def names(self, prefix: str = "") -> list[str]:
        with unavailable("storage list"):
            return sorted(blob.name for blob in self._bucket.list_blobs(prefix=prefix, timeout=_TIMEOUT_SECONDS))

    @cached_property
    def _bucket(self) -> Bucket:
        from google.cloud import storage

        return storage.Client(project=self._project).bucket(self._name)
