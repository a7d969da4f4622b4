"""A client that keeps its connections, and sends the next request on each when the one before has been answered."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from selectors import EVENT_READ, DefaultSelector

_TIMEOUT_S = 30.0


class Refused(RuntimeError):
    """An answer was no success."""


@contextmanager
def connected(port: int, many: int) -> Iterator[list[socket.socket]]:
    """So many connections to a server on this machine, which send what they are given at once."""
    made = [socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) for _ in range(many)]
    try:
        for each in made:
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made
    finally:
        for each in made:
            each.close()


def send(connections: Sequence[socket.socket], requests: Sequence[bytes]) -> None:
    """Send every request, the connections side by side. Raises `Refused`, and `TimeoutError`."""
    waiting = iter(requests)
    with DefaultSelector() as selector:
        for connection in connections[: len(requests)]:
            connection.sendall(next(waiting))
            selector.register(connection, EVENT_READ)
        unanswered = len(requests)
        while unanswered:
            ready = selector.select(_TIMEOUT_S)
            if not ready:
                raise TimeoutError(f"no answer within {_TIMEOUT_S:.0f} s")
            for key, _ in ready:
                connection = key.fileobj  # type: ignore[assignment]  # what was registered
                _nothing(connection)
                unanswered -= 1
                following = next(waiting, None)
                if following is not None:
                    connection.sendall(following)


def ask(connection: socket.socket) -> bytes:
    """The body of what is answered to a GET."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: benchmark\r\n\r\n")
    head, body = _head(connection)
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    if not head.startswith(b"HTTP/1.1 200") or not lengths:
        raise Refused(head.decode(errors="replace"))
    while len(body) < int(lengths[0]):
        body += _more(connection)
    return body


def post(body: bytes, token: str) -> bytes:
    """A request as it goes over the wire."""
    head = (
        "POST / HTTP/1.1\r\nHost: benchmark\r\nUser-Agent: APIs-Google; (+https://developers.google.com/webmasters/"
        f"APIs-Google.html)\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\n\r\n"
    )
    return head.encode() + body


def _nothing(connection: socket.socket) -> None:
    """Read an answer that has no body."""
    head, _ = _head(connection)
    if not head.startswith(b"HTTP/1.1 204"):
        raise Refused(head.decode(errors="replace"))


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    got = b""
    while b"\r\n\r\n" not in got:
        got += _more(connection)
    head, _, rest = got.partition(b"\r\n\r\n")
    return head, rest


def _more(connection: socket.socket) -> bytes:
    got = connection.recv(65_536)
    if not got:
        raise Refused("the server closed the connection")
    return got
