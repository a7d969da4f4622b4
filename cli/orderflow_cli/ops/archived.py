"""The archived events as tools read them: whole, with the data that were too large to travel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orderflow import archive, log
from orderflow.claims import BadClaim, MissingClaim, redeem
from orderflow.driver import run
from orderflow.envelope import Envelope
from orderflow_cli.ops.doors import Doors


@dataclass(frozen=True, slots=True)
class Archived:
    """One event: ``sent`` as it was published (perhaps a claim), ``whole`` with its data."""

    sent: Envelope
    whole: Envelope


def read_archive(doors: Doors, since: float, until: float) -> Iterator[Archived]:
    """The events that happened in a range of time (seconds since the epoch, the end left out), each once. One whose
    data are gone is logged and passed over. Raises `orderflow.ports.Unavailable`."""
    shell = doors.shell()

    def believed(sent: Envelope) -> bool:
        """Whether it is signed, where signatures are required: the archive has whatever reached the topic."""
        fault = run(shell.doubt(sent), doors.ports)
        if fault is not None:
            log.write("WARNING", "an event in the archive is not believed", event_id=sent.id, reason=fault)
        return fault is None

    for sent in archive.read(doors.ports.archive, since, until, believed):
        try:
            whole = run(redeem(sent), doors.ports)
        except (BadClaim, MissingClaim) as error:
            log.write("WARNING", "no data in the archive", event_id=sent.id, reason=str(error))
            continue
        yield Archived(sent, whole)
