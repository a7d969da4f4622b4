"""Document keys that every store accepts."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

_LONGEST = 200
_SAFE = re.compile(rf"[A-Za-z0-9._-]{{0,{_LONGEST}}}")


@lru_cache(maxsize=1024)
def safe_key(text: str) -> str:
    """Any text as a document key or index value: characters outside ``A-Za-z0-9._-`` become ``=XX`` of their UTF-8.

    Different texts give different keys; what would be longer than 200 characters ends in a hash of the whole.
    """
    if _SAFE.fullmatch(text):
        return text
    key = "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "._-") else f"={byte:02X}"
        for byte in text.encode("utf-8", "surrogatepass")
    )
    if len(key) > _LONGEST:
        # No escape has two of these signs in a row, so that no short text makes the same key.
        key = f"{key[: _LONGEST - 34]}=={hashlib.sha256(key.encode()).hexdigest()[:32]}"
    return key
