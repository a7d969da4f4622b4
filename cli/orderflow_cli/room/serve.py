"""The control room's server: on 127.0.0.1, for as long as the clouds run."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping

import uvicorn

from orderflow_cli.room.app import application
from orderflow_cli.room.site import Site
from orderflow_local.processes import StartFailed, free_port

_START_S = 10.0
_STOP_S = 20.0
"""A look that is under way is waited for: it would ask a cloud that is gone, and keep the process from ending."""


@contextlib.contextmanager
def serving(sites: Mapping[str, Site]) -> Iterator[str]:
    """Serve the room for the length of a block; answers its address, which has the token of this start behind the
    ``#``, where browsers keep it to themselves. Raises `StartFailed`."""
    port, token = free_port(), secrets.token_urlsafe(24)
    room = application(sites, token, frozenset({f"127.0.0.1:{port}", f"localhost:{port}"}))
    # The stream of an open page does not end by itself: it is cut, which uvicorn would log as an error.
    config = uvicorn.Config(
        room, host="127.0.0.1", port=port, log_level="critical", access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="room", daemon=True)
    thread.start()
    deadline = time.monotonic() + _START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise StartFailed("the control room did not start")
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/#token={token}"
    finally:
        server.should_exit = True
        thread.join(_STOP_S)
