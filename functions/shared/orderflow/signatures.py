"""Signed events, an option: who publishes signs, who consumes checks, and what nobody with a key has signed is refused.

A signature is a JWS with detached content (RFC 7515, appendix F) by HMAC-SHA256 (``HS256`` of RFC 7518), in the
extension attribute ``signature``: some 100 bytes of plain ASCII that every broker carries inside the event. What is
signed is `Envelope.said` in canonical form, so an SDK or broker may write the JSON anew. An event whose data stay
behind (`orderflow.claims`) is signed without them: it holds their hash, and is checked before they are fetched.

The secret ``signing`` is a JSON Web Key Set (RFC 7517) of symmetric keys: ``{"keys": [{"kty": "oct", "kid": "2026-11",
"k": "<base64url, 32 bytes or more>"}]}``. The first signs, each may check. An event that names a key which this process
does not know has the secret read anew; so a new key is added behind the others first, and moved to the front later.

All services hold the same keys: this keeps out who can reach a broker, not a service that was taken over."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

import orjson

from orderflow.envelope import Envelope, canonical
from orderflow.ports import Publisher, Unavailable
from orderflow.secret import Secret

SECRET = "signing"  # noqa: S105  the name of a secret
_KEY_BYTES = 32
"""RFC 7518, 3.2: a key must be as large as the hash."""


class Signatures:
    """Signs and checks with the keys of one secret."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret
        self._parsed: tuple[str, dict[str, bytes]] | None = None

    def sign(self, envelope: Envelope) -> Envelope:
        """The event with its signature, in place of one that it may have. Raises `Unavailable` without a key."""
        key_id, key = next(iter(self._keys().items()))
        header = _encoded(canonical({"alg": "HS256", "kid": key_id}))
        return envelope.replace(signature=f"{header}..{_encoded(_mac(key, header, envelope))}")

    def fault(self, envelope: Envelope) -> str | None:
        """Why an event is not to be believed; None where one of our keys has signed it. Raises `Unavailable` without
        a key."""
        signature = envelope.extension("signature")
        if signature is None:
            return "the event is not signed"
        try:
            header_part, content, mac_part = str(signature).split(".")
            header, mac = orjson.loads(_decoded(header_part)), _decoded(mac_part)
            algorithm, key_id = header["alg"], str(header["kid"])
        except (ValueError, LookupError, TypeError):
            return "its signature is no JWS with a key id"
        if content or algorithm != "HS256" or "crit" in header:
            return "its signature is no detached one by HS256"
        key = self._key(key_id)
        if key is None:
            return "its signature is by a key that is not ours, or not any more"
        if not hmac.compare_digest(_mac(key, header_part, envelope), mac):
            return "it says something else than what was signed"
        return None

    def _key(self, key_id: str) -> bytes | None:
        keys = self._keys()
        if key_id not in keys and self._secret.changed(self._secret.value()):
            keys = self._keys()
        return keys.get(key_id)

    def _keys(self) -> dict[str, bytes]:
        value = self._secret.value()
        if self._parsed is None or self._parsed[0] != value:
            keys = _keys_of(value)
            if not keys and self._secret.changed(value):  # It was not put in yet when it was read.
                value = self._secret.value()
                keys = _keys_of(value)
            if not keys:
                raise Unavailable(f"the secret {SECRET} is no JSON Web Key Set of symmetric keys of 32 bytes or more")
            self._parsed = (value, keys)
        return self._parsed[1]


class SigningPublisher:
    """A `Publisher` that signs what it publishes. Without a key nothing is published."""

    def __init__(self, publisher: Publisher, signatures: Signatures) -> None:
        self._publisher = publisher
        self._signatures = signatures

    def publish(self, envelopes: Sequence[Envelope]) -> list[Exception | None]:
        try:
            signed = [self._signatures.sign(envelope) for envelope in envelopes]
        except Unavailable as error:
            return [error] * len(envelopes)
        return self._publisher.publish(signed)


def _mac(key: bytes, header: str, envelope: Envelope) -> bytes:
    return hmac.digest(key, f"{header}.{_encoded(canonical(envelope.said()))}".encode(), hashlib.sha256)


def _keys_of(value: str) -> dict[str, bytes]:
    """The keys of a set by their ids, none where it is none or one of them is too short."""
    try:
        keys = {str(key["kid"]): _decoded(key["k"]) for key in orjson.loads(value)["keys"] if key["kty"] == "oct"}
    except (ValueError, LookupError, TypeError):
        return {}
    return {} if any(len(key) < _KEY_BYTES for key in keys.values()) else keys


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
