"""How Google's client libraries' errors become those of `orderflow.ports`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orderflow.ports import Unavailable


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Raise `Unavailable` for whatever a Google client raises: no answer, no permission, no credentials."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise Unavailable(f"{what}: {type(error).__name__}: {error}") from error
