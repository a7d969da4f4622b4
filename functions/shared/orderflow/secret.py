"""One secret as a process keeps it: read from the cloud's store when it is needed first, and anew once refused."""

from __future__ import annotations

from threading import Lock

from orderflow.ports import Clock, Secrets

REFRESH_SECONDS = 30.0
"""How long a value is believed although it is refused: a secret that is wrong must not have the store asked for each
message."""


class Secret:
    """A secret by its short name. Its value is in this process's memory only: never in the environment, in a document,
    in a log line or in an event; the object prints as its name."""

    def __init__(self, secrets: Secrets, name: str, clock: Clock) -> None:
        self.name = name
        self._secrets = secrets
        self._clock = clock
        self._lock = Lock()
        self._value: str | None = None
        self._read_at = 0.0

    def value(self) -> str:
        """The value, read from the store at the first call only. Raises `Unavailable`."""
        with self._lock:
            if self._value is None:
                self._read()
            assert self._value is not None
            return self._value

    def changed(self, refused: str) -> bool:
        """Whether there is another value than the one that was refused: reads it anew, unless that was done within the
        last `REFRESH_SECONDS`. Raises `Unavailable`."""
        with self._lock:
            if self._value == refused and self._clock.now() - self._read_at >= REFRESH_SECONDS:
                self._read()
            return self._value != refused

    def __repr__(self) -> str:
        return f"Secret({self.name!r})"

    def _read(self) -> None:
        self._value = self._secrets.read(self.name).strip()
        self._read_at = self._clock.now()
