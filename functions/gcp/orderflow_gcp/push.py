"""What Pub/Sub and Cloud Scheduler send to a function over HTTP: a token to be verified, and a wrapped message.

Both authenticate with an OIDC token that Google signs for a service account
(cloud.google.com/pubsub/docs/authenticate-push-subscriptions). The platform checks it too where only that account may
invoke the function; here it is checked always, so that no mistake in a deployment opens the way in. Many messages come
with one token (that page's sample says so, and advises to remember it): a good one is believed for as long as the
issuer's keys are kept, and never past its end.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any, Self

import jwt

from orderflow.ports import Delivery, Unavailable

GOOGLE_ISSUER = "https://accounts.google.com"
GOOGLE_JWKS_URL = "https://www.googleapis.com/oauth2/v3/certs"
_LEEWAY_SECONDS = 10
_KEYS_LIFE_SECONDS = 300
"""How long keys are kept, and what was checked with them is believed."""
_MOST_TOKENS = 100


class NotConfigured(RuntimeError):
    """A setting without which no push could be verified is missing: the function must not start."""


class Unauthenticated(Exception):
    """There is no token, or none that its issuer signed for us now: answer 401."""


class Forbidden(Exception):
    """The token is good, but its bearer is not who may call: answer 403."""


class PushVerifier:
    """Accepts the tokens of one service account for one audience, signed with RS256 by one issuer."""

    def __init__(self, issuer: str, jwks_url: str, audience: str, service_account: str) -> None:
        self._issuer = issuer
        self._audience = audience
        self._service_account = service_account
        self._keys = jwt.PyJWKClient(jwks_url, lifespan=_KEYS_LIFE_SECONDS, timeout=5)
        self._good: dict[str, float] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read ``ORDERFLOW_PUSH_AUDIENCE`` and ``ORDERFLOW_PUSH_SERVICE_ACCOUNT`` (an e-mail address), both required,
        and ``ORDERFLOW_PUSH_ISSUER`` and ``ORDERFLOW_PUSH_JWKS_URL``, by default Google's. Raises `NotConfigured`."""
        required = ("ORDERFLOW_PUSH_AUDIENCE", "ORDERFLOW_PUSH_SERVICE_ACCOUNT")
        missing = [name for name in required if not environ.get(name)]
        if missing:
            raise NotConfigured(f"{' and '.join(missing)} must be set: pushes are verified always")
        return cls(
            environ.get("ORDERFLOW_PUSH_ISSUER", GOOGLE_ISSUER),
            environ.get("ORDERFLOW_PUSH_JWKS_URL", GOOGLE_JWKS_URL),
            environ["ORDERFLOW_PUSH_AUDIENCE"],
            environ["ORDERFLOW_PUSH_SERVICE_ACCOUNT"],
        )

    def verify(self, authorization: str | None) -> None:
        """Check the value of an ``Authorization`` header.

        Raises `Unauthenticated`, `Forbidden`, or `Unavailable` where the issuer's keys cannot be had.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("no bearer token")
        now = time.time()
        if now < self._good.get(token, 0.0):
            return
        claims = self._claims(token)
        if claims.get("email") != self._service_account or claims.get("email_verified") is not True:
            raise Forbidden("not a token of the push service account")
        if len(self._good) >= _MOST_TOKENS:
            self._good.clear()
        self._good[token] = min(claims["exp"], now + _KEYS_LIFE_SECONDS)

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss"]},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable(f"keys of {self._issuer}: {error}") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated(str(error)) from error
        return claims


def delivery_of(body: bytes) -> Delivery:
    """Read a push request's body (cloud.google.com/pubsub/docs/push#receive_push).

    A body that does not wrap a message is itself the message: an unwrapped push, or nonsense, which the shell
    dead-letters as it came.
    """
    try:
        wrapper = json.loads(body)
        message = wrapper["message"]
        return Delivery(
            body=base64.b64decode(message.get("data", ""), validate=True),
            attributes=_attributes(message.get("attributes")),
            transport_id=str(message.get("messageId", "")),
            receives=_attempt(wrapper.get("deliveryAttempt")),
        )
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error, RecursionError):
        return Delivery(body=body)


def _attributes(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in (value or {}).items()}


def _attempt(value: Any) -> int:
    """Present only where the subscription has a dead-letter policy."""
    return value if type(value) is int and value > 0 else 1
