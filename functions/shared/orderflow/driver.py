"""Drives handlers for real: performs each step when it is yielded, and publishes for a whole batch in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from orderflow.ports import Ports, Unavailable
from orderflow.steps import Publish, Step, Steps

T = TypeVar("T")


class OutOfTime(Exception):
    """The deadline came before the handler was through. What it committed stands; a redelivery goes on from there."""


def run(steps: Steps[T], ports: Ports) -> T:
    """Drive one handler to its end, whatever time it takes."""
    answer = run_batch([steps], ports, lambda: False)[0]
    if isinstance(answer, BaseException):
        raise answer
    return answer


def run_batch(batch: Sequence[Steps[T]], ports: Ports, late: Callable[[], bool]) -> list[T | Exception]:
    """Drive handlers to their ends; answer for each its result, or the exception that ended it.

    The handlers run one after the other up to where each wants to publish; then all their events go out in one call,
    and so on. ``late`` is asked before every step; once it is true, what is unfinished ends as `OutOfTime`."""
    results: list[T | Exception] = [OutOfTime()] * len(batch)
    waiting: list[tuple[int, Any]] = [(index, None) for index in range(len(batch))]
    while waiting:
        parked: list[tuple[int, Publish]] = []
        for index, answer in waiting:
            step = _advance(batch[index], answer, ports, late, results, index)
            if step is not None:
                parked.append((index, step))
        waiting = _publish(parked, ports, late, batch)
    return results


def _advance(
    steps: Steps[T], answer: Any, ports: Ports, late: Callable[[], bool], results: list[T | Exception], index: int
) -> Publish | None:
    """Run one handler to its next publish (answered) or its end (None, its result noted)."""
    try:
        step: Step = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
        while not isinstance(step, Publish):
            if late():
                steps.close()
                return None
            try:
                answer = step.perform(ports)
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
        return step
    except StopIteration as end:
        results[index] = end.value
    except Exception as error:
        results[index] = error
    return None


def _publish(
    parked: list[tuple[int, Publish]], ports: Ports, late: Callable[[], bool], batch: Sequence[Steps[T]]
) -> list[tuple[int, Any]]:
    if parked and late():
        for index, _ in parked:
            batch[index].close()
        return []
    if not parked:
        return []
    try:
        answers: Sequence[Exception | None] = ports.publisher.publish([step.envelope for _, step in parked])
    except Exception as error:
        answers = [Unavailable(str(error))] * len(parked)
    return [(index, answer) for (index, _), answer in zip(parked, answers, strict=True)]
