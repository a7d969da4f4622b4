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
    return _holding(key_set(*names))


def impostor(name: str) -> Signatures:
    """Somebody who has the stranger's key and gives it the id of this one."""
    return _holding(key_set("stranger").replace("stranger", name))


def _holding(value: str) -> Signatures:
    return Signatures(Secret(MemorySecrets({"signing": value}), "signing", SystemClock()))
