"""Where the time of an event goes on the way through the shell: each step of it by itself, over the same events, and
the whole by the Lambda entrypoint. Beside them the floor's two halves, its checks and its work."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.cpu import floor
from benchmarks.cpu.measure import BATCH, Context, cloud_event, lambda_event
from benchmarks.cpu.orderflow_aws import consume
from benchmarks.cpu.ours import app, published
from benchmarks.cpu.programs import WHOLE
from benchmarks.cpu.reserving import SERVICE
from orderflow.claims import decode
from orderflow.envelope import Envelope
from orderflow.events import read
from orderflow.record import Cause, Record, envelopes
from orderflow.service import Commit
from orderflow.service import Context as Facts

Take = Callable[[str, Callable[[Any], Any], Sequence[Any]], list[Any]]
"""Times one step, by name, over everything that it takes; answers what it made."""


def one_pass(numbers: range) -> dict[str, float]:
    """Microseconds of processor time a record, by step."""
    figures: dict[str, float] = {}

    def take(name: str, step: Callable[[Any], Any], given: Sequence[Any]) -> list[Any]:
        gc.collect()
        gc.freeze()
        began = time.process_time()
        made = [step(each) for each in given]
        figures[name] = (time.process_time() - began) / len(numbers) * 1e6
        return made

    events = [cloud_event(number) for number in numbers]
    bodies = [json.dumps(event) for event in events]
    _steps(take, [body.encode() for body in bodies])
    batches = [lambda_event(events[place : place + BATCH]) for place in range(0, len(events), BATCH)]
    context = Context()
    for answer in take(WHOLE, lambda batch: consume(batch, context), batches):
        assert answer == {"batchItemFailures": []}, answer
    take("the floor's work", floor.process, take("the floor's checks", floor.checked, bodies))
    published.clear()
    floor.published.clear()
    return figures


def _steps(take: Take, bodies: list[bytes]) -> None:
    now = app.ports.clock.now()
    facts = Facts(now, app.settings, "")
    heard: list[Envelope] = take("envelope: decoded, checked, hashed", decode, bodies)
    orders = take("event: its model", read, heard)
    decided: list[Commit[Any]] = take("decision: its models", lambda order: SERVICE.decide(None, order, facts), orders)
    causes = [Cause.of(envelope) for envelope in heard]
    emitted: list[tuple[Envelope, ...]] = take(
        "new envelope: id, trace, data",
        lambda pair: envelopes(SERVICE.name, pair[0], pair[1].emit, now),
        list(zip(causes, decided, strict=True)),
    )
    records: list[Record[Any]] = [
        Record().absorbing(decision.state, cause, made)
        for decision, cause, made in zip(decided, causes, emitted, strict=True)
    ]
    take("document", lambda record: record.to_document(SERVICE), records)
    take("bytes to publish", lambda made: made[0].to_bytes(), emitted)


def main() -> None:
    """Passes as the command line says (events a pass, passes, file for the answer): the median of each step."""
    events, passes, answer = int(sys.argv[1]) * BATCH, int(sys.argv[2]), Path(sys.argv[3])
    figures = [one_pass(range(turn * events, (turn + 1) * events)) for turn in range(passes + 2)][2:]
    answer.write_text(json.dumps({name: median(each[name] for each in figures) for name in figures[0]}))


if __name__ == "__main__":
    main()
