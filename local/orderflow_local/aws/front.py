"""`ApiFront`, a stand-in of ours for the public endpoint of an HTTP API.

ministack makes the payload and calls the function, but its address has a path of its own, and every concurrent request
starts one more runtime, as on AWS. The front gives the API a root URL, and lets requests wait instead of starting more
runtimes than a small machine can bear.
"""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CONCURRENCY = 2
"""Requests at the same time, and so runtimes of the API function."""

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


class ApiFront:
    """Forwards HTTP requests on a free port of 127.0.0.1 to ``target``, a URL with a path that is put before theirs."""

    def __init__(self, target: str) -> None:
        handler = type("Handler", (_Handler,), {"target": urlsplit(target), "slots": threading.Semaphore(CONCURRENCY)})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="aws-api-front", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; requests under way are answered or broken off."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    target: Any
    slots: threading.Semaphore

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        try:
            with self.slots:
                status, answer_headers, answer = self._ask(body, headers)
        except OSError as error:
            status, answer_headers, answer = 503, [], str(error).encode()
        self.send_response(status)
        for name, value in answer_headers:
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _forward  # noqa: N815  the base class looks for these names

    def _ask(self, body: bytes, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.target.hostname, self.target.port, timeout=30)
        try:
            connection.request(self.command, self.target.path + self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """The function logs."""
