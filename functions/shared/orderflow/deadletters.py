"""What an operator may do with a dead letter: redrive it to its service, or throw it away. The same on every cloud.

A handler may have died after its commit and before its publish, and the message may then have been dead-lettered: the
letter is the last that stands for what was to be published. So before a letter is thrown away what it stands for is
published; and one that a saga still waits for is not thrown away at all."""

from __future__ import annotations

from typing import Any

from orderflow import replay
from orderflow.attempts import Attempts
from orderflow.claims import MissingClaim, decode, redeem
from orderflow.envelope import Envelope, Malformed
from orderflow.events import CATALOGUE, UnknownEvent, read
from orderflow.ports import DeadLetter
from orderflow.processing import Shell
from orderflow.record import Cause
from orderflow.service import Service
from orderflow.steps import Remove, Resend, Steps


def redrive(shell: Shell, service: Service[Any], letter: DeadLetter) -> Steps[str | None]:
    """Hand the message to its service again, with all its attempts. Answers None, or why the letter was left."""
    envelope = _envelope(letter)
    if envelope is not None:
        refusal = replay.refusal(service, envelope.time, shell.clock.now(), shell.settings)
        if refusal is not None:
            return refusal
        yield from Attempts(shell.clock).forget(service, envelope.id)
    yield Resend(letter)
    yield Remove(letter)
    return None


def discard(shell: Shell, service: Service[Any], letter: DeadLetter) -> Steps[str | None]:
    """Throw the letter away. Answers None, or why it was kept.

    Raises `Unavailable` where what it stands for could not be published: it is kept then too."""
    envelope = _envelope(letter)
    kept = None if envelope is None else (yield from _needed(shell, service, envelope))
    if kept is None:
        yield Remove(letter)
    return kept


def _envelope(letter: DeadLetter) -> Envelope | None:
    try:
        return decode(letter.body)
    except Malformed:
        return None


def _needed(shell: Shell, service: Service[Any], envelope: Envelope) -> Steps[str | None]:
    if (yield from shell.doubt(envelope)) is not None:
        return None  # It stands for nothing: none of ours has published it.
    try:
        envelope = yield from redeem(envelope)
        event = read(envelope)
    except MissingClaim as error:
        return f"nobody can say what it stands for: {error}"
    except UnknownEvent:
        newer = envelope.kind in {kind for kind, _ in CATALOGUE}
        return "another version of this event is known: a newer deployment may know this one" if newer else None
    except Malformed:
        return None
    if type(event) not in service.hears:
        return None
    if (yield from shell.repeat(service, Cause.of(envelope), event, envelope.time)):
        return None
    if all(emitted.category == "message" for emitted in service.emits):
        return None  # Nobody waits for an answer: it is the operator's to say that a message is not sent any more.
    return f"{service.name} has not absorbed it: the order would never come to rest; redrive it"
