"""The archive: every event that was published, as JSON lines, one object a batch, in folders by day.

``events/2026/11/21/12_05_00Z_<unique>.jsonl``. AWS and Google Cloud write it by themselves (Firehose, a Cloud Storage
subscription), on Azure a function of ours does; behind the day the names differ, and sort by time.

Delivery semantics
    At least once on every cloud: what was handed over twice, or written by somebody who died before he could say so,
    is there twice. `read` gives every event once, known by its id.
Large events
    What was published is archived: an event whose data stayed behind is an `orderflow.claims.Claim` here, too. Its
    data lie in the same bucket for as long; whoever hands it to a service hands over the claim.
Ordering
    None within an object; objects by the time at which their batch was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from orderflow import log
from orderflow.claims import decode
from orderflow.envelope import Envelope, Malformed, rfc3339
from orderflow.ports import Objects

PREFIX = "events/"
_SKEW_SECONDS = 3600.0
"""By how much the clocks of who emits and of who archives may differ."""


def object_name(now: float, unique: str) -> str:
    """The name of a batch begun ``now`` (seconds since the epoch), as a Cloud Storage subscription makes it."""
    return f"{PREFIX}{datetime.fromtimestamp(now, UTC):%Y/%m/%d/%H_%M_%SZ}_{unique}.jsonl"


def lines(bodies: Iterable[bytes]) -> bytes:
    """Events as they were delivered, one a line. A line break in JSON only ever stands where a space may."""
    return b"".join(body.replace(b"\n", b" ") + b"\n" for body in bodies)


def read(
    objects: Objects, since: float, until: float, believed: Callable[[Envelope], bool] = lambda _: True
) -> Iterator[Envelope]:
    """The events that happened from ``since`` until before ``until`` (seconds since the epoch), each once; those that
    are not ``believed`` are passed over.

    An event may be archived days after it happened, when somebody settles a dead letter, but never before: so all
    objects from the day of ``since`` on are read. Lines that are no events of ours are logged and passed over. Raises
    `Unavailable`.
    """
    earliest, end = rfc3339(since), rfc3339(until)
    first_day = object_name(since - _SKEW_SECONDS, "").rpartition("/")[0]
    seen: set[str] = set()
    for name in objects.names(PREFIX):
        if name < first_day:
            continue
        for envelope in events_in(objects, name):
            if earliest <= envelope.time < end and envelope.id not in seen and believed(envelope):
                seen.add(envelope.id)
                yield envelope


def events_in(objects: Objects, name: str) -> Iterator[Envelope]:
    """The events of one object, as often as they are in it. Raises `Unavailable`."""
    try:
        data = objects.get(name)
    except KeyError:  # It reached the end of its life since it was listed.
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield decode(line)
        except Malformed as error:
            log.write("WARNING", "no event in the archive", object=name, line=number, reason=str(error))
