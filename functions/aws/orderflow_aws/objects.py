"""One bucket of S3.

Consistency
    Strong, listings included (docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
Errors
    `KeyError` for an object that does not exist, otherwise `Unavailable`.
"""

from __future__ import annotations

from orderflow_aws.sdk import Clients, unavailable


class S3Objects:
    """`orderflow.ports.Objects` over one bucket."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients = clients
        self._bucket = bucket

    def put(self, name: str, data: bytes) -> None:
        with unavailable("S3 PutObject"):
            self._clients.s3.put_object(Bucket=self._bucket, Key=name, Body=data)

    def get(self, name: str) -> bytes:
        storage = self._clients.s3
        with unavailable("S3 GetObject"):
            try:
                return storage.get_object(Bucket=self._bucket, Key=name)["Body"].read()
            except storage.exceptions.NoSuchKey:
                raise KeyError(name) from None

    def names(self, prefix: str = "") -> list[str]:
        with unavailable("S3 ListObjectsV2"):
            pages = self._clients.s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            return sorted(entry["Key"] for page in pages for entry in page.get("Contents", []))
