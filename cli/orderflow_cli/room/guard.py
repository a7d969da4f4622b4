"""Who may ask the control room what.

It listens on 127.0.0.1, which keeps other machines out but not other pages of the same browser. So every request must
name the room itself as its host (a foreign name that was bound to 127.0.0.1 does not), a request that says where it
comes from must come from the room's own page, and whatever changes something needs the token of this start in a header
and JSON as its type, neither of which a foreign page can send unasked
(developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CORS#simple_requests)."""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-room-token"  # noqa: S105  the name of a header
MOST_BYTES = 65_536
"""So large may a request's body be."""

_READS = ("GET", "HEAD")
_ANSWER_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """ASGI middleware around the whole room. ``hosts`` are the names, each with its port, under which it is reached."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._token = token.encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_ANSWER_HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        app = self._app if refusal is None else JSONResponse({"error": refusal[1]}, refusal[0])
        await app(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if host not in self._hosts:
            return 421, "this is not the address of the control room"
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return 403, "the request comes from another page"
        if method in _READS:
            return None
        if not secrets.compare_digest(headers.get(TOKEN_HEADER, "").encode(), self._token):
            return 403, "to change anything, open the room by the whole address that orderflow up printed"
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            return 415, "the body must be JSON"
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > MOST_BYTES:
            return 413, f"the body must be of a known length, at most {MOST_BYTES} bytes"
        return None
