"""The clouds' services as far as the programs of this benchmark call them: every document is new, every event is taken.
A process of its own; it prints where it listens, and serves until its input ends.

HTTP: DynamoDB, SNS, Azure Tables, Event Grid, the keys of the push tokens' issuer. gRPC: Firestore, Pub/Sub."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import grpc
from google.cloud.firestore_v1 import types as firestore
from google.pubsub_v1 import types as pubsub

from orderflow_local.issuer_pages import SigningKeys

AUDIENCE, ACCOUNT = "https://function.example/fraud", "push@project.iam.gserviceaccount.com"


class Services(BaseHTTPRequestHandler):
    """Answers every request as done."""

    protocol_version = "HTTP/1.1"
    keys: SigningKeys

    def do_GET(self) -> None:
        if self.path == "/jwks.json":
            return self._answer(200, "application/json", json.dumps(self.keys.jwks()))
        missing = {"odata.error": {"code": "ResourceNotFound", "message": {"lang": "en", "value": "none"}}}
        return self._answer(404, "application/json;odata=minimalmetadata", json.dumps(missing))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "X-Amz-Target" in self.headers:
            return self._answer(200, "application/x-amz-json-1.0", "{}")
        if self.path == "/":
            return self._sns(parse_qs(body.decode()))
        if self.path.startswith("/api/events"):
            return self._answer(200, "application/json", "")
        return self._answer(204, "", "", {"ETag": "W/\"datetime'1'\"", "Preference-Applied": "return-no-content"})

    def log_message(self, *_: Any) -> None:
        return

    def _sns(self, form: dict[str, list[str]]) -> None:
        [action] = form["Action"]
        taken = "<member><Id>0</Id><MessageId>m</MessageId></member>"
        result = f"<{action}Result><Successful>{taken}</Successful><Failed/></{action}Result>"
        about = "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
        named = f'{action}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'
        self._answer(200, "text/xml", f"<{named}>{result}{about}</{action}Response>")

    def _answer(self, status: int, kind: str, text: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, **(more or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def no_document(_: Any, context: grpc.ServicerContext) -> Any:
    """Firestore GetDocument."""
    context.abort(grpc.StatusCode.NOT_FOUND, "none")


def committed(request: Any, _: grpc.ServicerContext) -> Any:
    """Firestore Commit."""
    time = {"seconds": 1_800_000_000}
    results = [{"update_time": time} for _ in request.writes]
    return firestore.CommitResponse.pb(firestore.CommitResponse(write_results=results, commit_time=time))


def published(request: Any, _: grpc.ServicerContext) -> Any:
    """Pub/Sub Publish."""
    ids = [str(number) for number, _ in enumerate(request.messages)]
    return pubsub.PublishResponse.pb(pubsub.PublishResponse(message_ids=ids))


METHODS: dict[str, dict[str, tuple[Any, Any, Any]]] = {
    "google.firestore.v1.Firestore": {
        "GetDocument": (no_document, firestore.GetDocumentRequest, firestore.Document),
        "Commit": (committed, firestore.CommitRequest, firestore.CommitResponse),
    },
    "google.pubsub.v1.Publisher": {"Publish": (published, pubsub.PublishRequest, pubsub.PublishResponse)},
}


def grpc_server() -> tuple[grpc.Server, int]:
    """A server that has been started, and its port."""
    server = grpc.server(ThreadPoolExecutor(4))
    for service, methods in METHODS.items():
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                answer,
                request_deserializer=request.pb().FromString,
                response_serializer=response.pb().SerializeToString,
            )
            for name, (answer, request, response) in methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    """Serve."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Services)
    url = f"http://127.0.0.1:{http.server_port}"
    Services.keys = SigningKeys(url)
    _server, port = grpc_server()
    Thread(target=http.serve_forever, daemon=True).start()
    token = Services.keys.sign("1", AUDIENCE, ACCOUNT, ttl=86_400)
    where = {"http": url, "grpc": f"127.0.0.1:{port}", "token": f"Bearer {token}"}
    print(json.dumps(where | {"audience": AUDIENCE, "account": ACCOUNT}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
