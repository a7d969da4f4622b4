"""Drives handlers for real: performs each step when it is yielded, and publishes for a whole batch in one call."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from orderflow.ports import Ports, Unavailable
from orderflow.steps import Ask, Publish, PublishAll, Step, Steps

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
    """Drive handlers to their ends; answer for each its result, or the exception that ended it. ``late`` is asked
    before every step; once it is true, what is unfinished ends as `OutOfTime`, but for a handler that has called an
    external system: that goes on until the outcome is committed."""
    driving = interleave(batch, late)
    try:
        _, step = next(driving)
        while True:
            try:
                answer: Any = step.perform(ports)
            except Exception as error:
                answer = error
            _, step = driving.send(answer)
    except StopIteration as end:
        results: list[T | Exception] = end.value
        return results


def interleave(
    batch: Sequence[Steps[T]], late: Callable[[], bool]
) -> Generator[tuple[Sequence[int], Step], Any, list[T | Exception]]:
    """The steps of a batch in the order in which they are performed, each with the places of the handlers that it is
    for; to be sent each step's answer, or the exception that it raised. Answers as `run_batch` does.

    The handlers run one after the other up to where each wants to publish; then all their events go out in one call,
    and so on."""
    results: list[T | Exception] = [OutOfTime()] * len(batch)
    waiting: list[tuple[int, Any]] = [(index, None) for index in range(len(batch))]
    while waiting:
        parked: list[tuple[int, Publish]] = []
        for index, answer in waiting:
            steps = batch[index]
            try:
                step = _go_on(steps, answer)
                owing = False  # An external system was called: stopping before that is recorded could send twice.
                while not isinstance(step, Publish):
                    if late() and not owing:
                        steps.close()
                        break
                    owing = owing or isinstance(step, Ask)
                    answer = yield (index,), step
                    step = _go_on(steps, answer)
                else:
                    parked.append((index, step))
            except StopIteration as end:
                results[index] = end.value
            except Exception as error:
                results[index] = error
        waiting = []
        if parked and late():
            for index, _ in parked:
                batch[index].close()
        elif parked:
            places = [index for index, _ in parked]
            answers = yield places, PublishAll(tuple(step.envelope for _, step in parked))
            if isinstance(answers, Exception):
                answers = [Unavailable(str(answers))] * len(parked)
            waiting = list(zip(places, answers, strict=True))
    return results


def _go_on(steps: Steps[Any], answer: Any) -> Step:
    """A handler's next step. An error that it got over lets go of the frames that it passed: they would hold it, and it
    them, until the garbage collector comes."""
    if not isinstance(answer, Exception):
        return steps.send(answer)
    try:
        step = steps.throw(answer)
    except StopIteration:
        answer.__traceback__ = None
        raise
    answer.__traceback__ = None
    return step
