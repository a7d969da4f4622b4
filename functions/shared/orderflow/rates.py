"""How many changes a customer may ask for: a limit that all processes share.

The generic cell rate algorithm, a token bucket kept as one number (ITU-T I.371; en.wikipedia.org/wiki/GCRA): a
customer's document says when the bucket would be full again. A request moves that time on by ``60 /
rate_per_minute`` seconds, by compare-and-set, so that no two processes spend the same token. One read and one write for
each request are the price, so only what changes something is counted, which costs several times that anyway; a count in
each process would be no limit, for the platforms start as many processes as there are requests.

A refusal is remembered: the time only ever moves on, so until then the process refuses without asking the store."""

from __future__ import annotations

import math

from orderflow.keys import safe_key
from orderflow.ports import Clock, Conflict, Document, Stored
from orderflow.settings import Settings
from orderflow.steps import Get, Put, Steps

COLLECTION = "rates"
_MOST_REMEMBERED = 1_000


class Rates:
    """The buckets of all customers, as one process sees them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._refused: dict[str, float] = {}

    def wait(self, customer: str) -> Steps[float]:
        """Take a token of a customer's; answers 0, or for how many seconds there is none."""
        if not self._settings.rate_per_minute:
            return 0.0
        key = safe_key(customer)
        refused_until = self._refused.get(key, 0.0)
        if (now := self._clock.now()) < refused_until:
            return refused_until - now
        a_token = 60.0 / self._settings.rate_per_minute
        for _ in range(self._settings.conflict_tries):
            stored: Stored | None = yield Get(COLLECTION, key)
            now = self._clock.now()
            full_at = max(stored.document["full_at"] if stored else now, now) + a_token
            wait = full_at - now - a_token * self._settings.rate_burst
            if wait > 1e-6:  # Sums of fractions: not a token short, but a rounding.
                self._remember(key, now + wait)
                return wait
            document: Document = {
                "rev": stored.document["rev"] + 1 if stored else 1,
                "full_at": full_at,
                "expires_at": math.ceil(full_at) + 60,
            }
            try:
                yield Put(COLLECTION, key, document, stored)
                return 0.0
            except Conflict:
                continue
        return a_token  # So many requests of one customer at once are too many, whatever the bucket holds.

    def _remember(self, key: str, refused_until: float) -> None:
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[key] = refused_until
