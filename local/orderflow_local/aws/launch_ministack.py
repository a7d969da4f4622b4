"""Serves ministack. Runs in ministack's own environment, not in orderflow's; configured by ministack's variables.

Two things differ from the ``ministack`` command for speed only (measured on two cores):
* uvicorn with httptools serves the application, in place of hypercorn with h11: 0.8 ms of CPU for a GetItem, not 1.3.
* Nagle's algorithm is off in its Lambda Runtime API server, which writes an invocation's headers and body separately:
  the second write waited 40 ms for the other side's delayed acknowledgement. A warm invocation takes 57 ms, not 100,
  and 9 ms where the handler writes a log line (ministack waits up to 50 ms for one).

And one so that nothing is lost: a runtime that is killed while it writes its answer (awslambdaric writes its headers
and its body one after the other) has answered nothing. ministack 1.5.33 takes the empty rest for the answer: the API
says 200 without a body, and a queue's batch counts as done, with the messages in it that had failed.
"""

import os
import socketserver
from typing import Any

import uvicorn
from ministack.app import app  # type: ignore[import-not-found]
from ministack.core.lambda_runtime import ProvidedWorker  # type: ignore[import-not-found]

_runtime_api = ProvidedWorker._build_handler_class


def _runtime_api_of_whole_answers(worker: Any, *generation: Any) -> type:
    """ministack's Runtime API, in which a body that ends too early breaks the connection off."""
    base: Any = _runtime_api(worker, *generation)

    class WholeAnswers(base):  # type: ignore[misc]
        def _read_body(self) -> bytes:
            body: bytes = super()._read_body()
            if len(body) < int(self.headers.get("content-length", 0)):
                raise ConnectionAbortedError
            return body

    return WholeAnswers


ProvidedWorker._build_handler_class = _runtime_api_of_whole_answers
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
uvicorn.run(
    app,
    host=os.environ["BIND_HOST"],
    port=int(os.environ["GATEWAY_PORT"]),
    http="httptools",
    log_level="warning",
    access_log=False,
    timeout_keep_alive=75,
    timeout_graceful_shutdown=1,
)
