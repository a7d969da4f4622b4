"""How a provider is spoken to: one HTTPS request at a time, with its secret; and what its answers mean.

urllib3 is in every function package already, under the cloud's own SDK: the Lambda runtime's boto3, azure-core's and
google-auth's requests. It is asked to neither retry nor follow: one call here is one request.

What an answer means
    no answer, 5xx          `NoAnswer`: it may have been done. Ask again under the same key
    429                     `Unavailable`; until ``Retry-After`` is over nothing more is sent
    401                     the secret is read anew, and tried once more if it changed; then `Unavailable`: an operator
                            has to mend it, and no order is refused for it
    anything else           the provider's module decides; what it cannot explain is `BadCall`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from orderflow.ports import Clock, Unavailable
from orderflow.secret import Secret
from orderflow.settings import BadSetting

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 3.0
READ_SECONDS = 8.0
"""A function has 30 s, and a provider may need two calls and a new secret in it."""

LONGEST_WAIT = 60.0
"""For how long at most a provider's ``Retry-After`` is obeyed: then the circuit breaker decides again."""


class BadCall(Exception):
    """The provider did nothing, because it does not take such a request: our fault, or the configuration's. The attempt
    fails, and the breaker does not open for it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's answer. ``headers`` has lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body, a JSON object; empty where it is none: an answer without what was asked for is treated as such."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class NoAnswer(Unavailable):
    """The request may or may not have been carried out; ``reply`` is there if the provider failed in writing."""

    def __init__(self, message: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Call:
    """A request before it is signed. ``target`` is the path with its query, ``body`` what is sent as it is."""

    method: str
    host: str
    target: str
    body: bytes


Sign = Callable[[str, Call], Mapping[str, str]]
"""(the secret's value, the request) -> headers that prove who asks."""


def bearer(value: str, _call: Call) -> dict[str, str]:
    """The secret is a token."""
    return {"authorization": f"Bearer {value}"}


class Web:
    """One provider's API. ``name`` is for messages, ``url`` is https (or this machine's, for a stub)."""

    def __init__(self, name: str, url: str, secret: Secret, clock: Clock, sign: Sign = bearer) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
            raise BadSetting(f"the address of {name} must be an https URL, not {url!r}")
        self.name = name
        self._url = url.rstrip("/")
        self._host = parts.netloc
        self._secret = secret
        self._clock = clock
        self._sign = sign
        self._silent_until = 0.0

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Reply:
        """Read something; a lost answer has changed nothing. Raises `Unavailable`."""
        return self._call(Call("GET", self._host, path + (f"?{urlencode(query)}" if query else ""), b""), {})

    def post_json(self, path: str, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a JSON document. Raises `Unavailable`."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return self._call(Call("POST", self._host, path, body), {"content-type": "application/json", **(headers or {})})

    def post_form(self, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Reply:
        """Send a form. Raises `Unavailable`."""
        kind = "application/x-www-form-urlencoded"
        body = urlencode(fields).encode()
        return self._call(Call("POST", self._host, path, body), {"content-type": kind, **(headers or {})})

    def _call(self, call: Call, headers: Mapping[str, str]) -> Reply:
        wait = self._silent_until - self._clock.now()
        if wait > 0:
            raise Unavailable(f"{self.name} asked to be left alone for another {wait:.0f} s")
        value = self._secret.value()
        reply = self._send(call, headers, value)
        if reply.status == 401 and self._secret.changed(value):
            reply = self._send(call, headers, self._secret.value())
        if reply.status == 401:
            raise Unavailable(f"{self.name} refuses our credentials: look at the secret {self._secret.name}")
        if reply.status == 429 or reply.status >= 500:
            self._silent_until = self._clock.now() + min(self._retry_after(reply), LONGEST_WAIT)
        if reply.status == 429:
            raise Unavailable(f"{self.name} is asked too often (429)")
        if reply.status >= 500:
            raise NoAnswer(f"{self.name} failed ({reply.status})", reply)
        return reply

    def _send(self, call: Call, headers: Mapping[str, str], value: str) -> Reply:
        from urllib3.exceptions import HTTPError

        try:
            answer: BaseHTTPResponse = self._pool.request(
                call.method,
                self._url + call.target,
                body=call.body or None,
                headers={"accept": "application/json", **headers, **self._sign(value, call)},
                redirect=False,
            )
        except HTTPError as error:
            # Its text would name the address, in which some providers want the account.
            raise NoAnswer(f"{self.name}: {type(error).__name__}") from None
        return Reply(answer.status, {name.lower(): text for name, text in answer.headers.items()}, answer.data)

    def _retry_after(self, reply: Reply) -> float:
        """Seconds, from a number or a date (RFC 9110, 10.2.3); 0 where there is none that can be read."""
        text = reply.headers.get("retry-after", "")
        if text.isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.now())
        except ValueError:
            return 0.0

    @cached_property
    def _pool(self) -> PoolManager:
        from urllib3 import PoolManager, Timeout

        return PoolManager(timeout=Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS), retries=False, maxsize=4)
