"""Keys that sign events, for tests."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

from orderflow.clock import SystemClock
from orderflow.secret import Secret
from orderflow.signatures import Signatures
from orderflow_local.memory import MemorySecrets

KEYS = {name: bytes([number]) * 32 for number, name in enumerate(("first", "second", "stranger"), 1)}


def key_set(*names: str) -> str:
    """The value of the secret with these keys."""
    keys = [{"kty": "oct", "kid": name, "k": urlsafe_b64encode(KEYS[name]).rstrip(b"=").decode()} for name in names]
    return json.dumps({"keys": keys})


def signatures(*names: str) -> Signatures:
    """Somebody who has these keys."""
    return Signatures(Secret(MemorySecrets({"signing": key_set(*names)}), "signing", SystemClock()))
