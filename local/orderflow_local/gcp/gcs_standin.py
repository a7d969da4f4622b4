"""A stand-in of ours for Cloud Storage: the part of its JSON API that google-cloud-storage uses for whole objects.

Insert (one multipart request, or a resumable upload in pieces), get, get media, list by prefix, delete. A bucket may
have a topic, which then hears of each object that was written (cloud.google.com/storage/docs/pubsub-notifications).
Objects are kept in memory; versions, conditions and pages are not there."""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import google_crc32c
import grpc
import uvicorn
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Resource = dict[str, Any]
Notify = Callable[[str, Resource], None]
"""Takes a topic's full name and the object that was written."""


@dataclass(slots=True)
class Bucket:
    """A bucket: objects by name, each with its resource, and the topic that hears of them."""

    name: str
    topic: str = ""
    objects: dict[str, tuple[Resource, bytes]] = field(default_factory=dict)


class Storage:
    """The buckets, and the HTTP API over them."""

    def __init__(self, buckets: list[Bucket], notify: Notify) -> None:
        self._buckets = {bucket.name: bucket for bucket in buckets}
        self._notify = notify
        self._generations = itertools.count(time.time_ns() // 1000)
        self._uploads: dict[str, tuple[str, Resource, bytearray]] = {}

    def application(self) -> Starlette:
        """The API as an ASGI application."""
        return Starlette(
            routes=[
                Route("/upload/storage/v1/b/{bucket}/o", self._start_upload, methods=["POST"]),
                Route("/upload/storage/v1/b/{bucket}/o", self._continue_upload, methods=["PUT"]),
                Route("/storage/v1/b/{bucket}", self._get_bucket),
                Route("/storage/v1/b/{bucket}/o", self._list),
                Route("/storage/v1/b/{bucket}/o/{name:path}", self._delete, methods=["DELETE"]),
                Route("/storage/v1/b/{bucket}/o/{name:path}", self._get),
                Route("/download/storage/v1/b/{bucket}/o/{name:path}", self._get),
            ]
        )

    async def _get_bucket(self, request: Request) -> Response:
        bucket = self._buckets.get(request.path_params["bucket"])
        return (
            JSONResponse({"kind": "storage#bucket", "name": bucket.name}) if bucket else _error(404, "no such bucket")
        )

    async def _list(self, request: Request) -> Response:
        bucket = self._buckets.get(request.path_params["bucket"])
        if bucket is None:
            return _error(404, "no such bucket")
        prefix = request.query_params.get("prefix", "")
        items = [resource for name, (resource, _) in sorted(bucket.objects.items()) if name.startswith(prefix)]
        return JSONResponse({"kind": "storage#objects", "items": items})

    async def _get(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return _error(404, "no such object")
        resource, data = found
        if request.query_params.get("alt") != "media":
            return JSONResponse(resource)
        headers = {
            "X-Goog-Hash": f"crc32c={resource['crc32c']},md5={resource['md5Hash']}",
            "X-Goog-Generation": resource["generation"],
        }
        return Response(data, media_type=resource["contentType"], headers=headers)

    async def _delete(self, request: Request) -> Response:
        if self._find(request) is None:
            return _error(404, "no such object")
        del self._buckets[request.path_params["bucket"]].objects[_name(request)]
        return Response(status_code=204)

    async def _start_upload(self, request: Request) -> Response:
        bucket = request.path_params["bucket"]
        if bucket not in self._buckets:
            return _error(404, "no such bucket")
        body = await request.body()
        if request.query_params.get("uploadType") == "multipart":
            metadata, data = _multipart(request.headers["content-type"], body)
            return JSONResponse(await self._write(bucket, metadata, data))
        metadata = json.loads(body or b"{}")
        metadata.setdefault("name", request.query_params.get("name"))
        metadata.setdefault("contentType", request.headers.get("x-upload-content-type"))
        upload = str(next(self._generations))
        self._uploads[upload] = (bucket, metadata, bytearray())
        location = f"{request.base_url}upload/storage/v1/b/{quote(bucket)}/o?uploadType=resumable&upload_id={upload}"
        return Response(headers={"Location": location})

    async def _continue_upload(self, request: Request) -> Response:
        upload = request.query_params.get("upload_id", "")
        if upload not in self._uploads:
            return _error(404, "no such upload")
        bucket, metadata, data = self._uploads[upload]
        data += await request.body()
        total = request.headers.get("content-range", "").rpartition("/")[2]
        if total in ("", "*") or len(data) < int(total):
            return Response(status_code=308, headers={"Range": f"bytes=0-{len(data) - 1}"})
        del self._uploads[upload]
        return JSONResponse(await self._write(bucket, metadata, bytes(data)))

    async def _write(self, bucket_name: str, metadata: Resource, data: bytes) -> Resource:
        bucket = self._buckets[bucket_name]
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        generation = str(next(self._generations))
        resource: Resource = {
            "kind": "storage#object",
            "id": f"{bucket.name}/{metadata['name']}/{generation}",
            "name": metadata["name"],
            "bucket": bucket.name,
            "generation": generation,
            "metageneration": "1",
            "contentType": metadata.get("contentType") or "application/octet-stream",
            "size": str(len(data)),
            "md5Hash": base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode(),
            "timeCreated": now,
            "updated": now,
        }
        bucket.objects[resource["name"]] = (resource, data)
        if bucket.topic:
            await run_in_threadpool(self._notify, bucket.topic, resource)
        return resource

    def _find(self, request: Request) -> tuple[Resource, bytes] | None:
        bucket = self._buckets.get(request.path_params["bucket"])
        return bucket.objects.get(_name(request)) if bucket else None


def publishing(broker: str) -> Notify:
    """What tells a topic of an object, as Cloud Storage's notifications do."""
    client = PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(broker)))

    def notify(topic: str, resource: Resource) -> None:
        attributes = {
            "eventType": "OBJECT_FINALIZE",
            "payloadFormat": "JSON_API_V1",
            "bucketId": resource["bucket"],
            "objectId": resource["name"],
            "objectGeneration": resource["generation"],
            "eventTime": resource["updated"],
        }
        message = {"data": json.dumps(resource).encode(), "attributes": attributes}
        client.publish(request={"topic": topic, "messages": [message]})

    return notify


def _name(request: Request) -> str:
    """The object's name. A slash in it arrives as ``%2F``, which the server has undone once."""
    name: str = request.path_params["name"]
    return name


def _multipart(content_type: str, body: bytes) -> tuple[Resource, bytes]:
    """The two parts of a multipart/related upload: the metadata, and the data with their type."""
    boundary = content_type.rpartition("boundary=")[2].strip('"').encode()
    _, metadata, data, _ = (b"\r\n" + body).split(b"\r\n--" + boundary)
    head, _, content = data.partition(b"\r\n\r\n")
    resource: Resource = json.loads(metadata.partition(b"\r\n\r\n")[2])
    resource.setdefault("contentType", head.decode().partition(":")[2].strip())
    return resource, content


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": message}}, status)


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="a stand-in for Cloud Storage")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--broker", required=True, help="host:port of Pub/Sub")
    parser.add_argument("--bucket", action="append", required=True, help="NAME or NAME=TOPIC that hears of its objects")
    arguments = parser.parse_args()
    buckets = [Bucket(name, topic) for name, _, topic in (text.partition("=") for text in arguments.bucket)]
    storage = Storage(buckets, publishing(arguments.broker))
    uvicorn.run(storage.application(), host="127.0.0.1", port=arguments.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
