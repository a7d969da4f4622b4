"""Serves ministack. Runs in ministack's own environment, not in orderflow's; configured by ministack's variables.

Two things differ from the ``ministack`` command, for speed only (measured on two cores):
* uvicorn with httptools serves the application, in place of hypercorn with h11: 0.8 ms of CPU for a GetItem, not 1.3.
* Nagle's algorithm is off in its Lambda Runtime API server, which writes an invocation's headers and body separately:
  the second write waited 40 ms for the other side's delayed acknowledgement. A warm invocation takes 57 ms, not 100,
  and 9 ms where the handler writes a log line (ministack waits up to 50 ms for one).
"""

import os
import socketserver

import uvicorn
from ministack.app import app  # type: ignore[import-not-found]

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
