"""What all tests need."""

from __future__ import annotations

import signal

import pytest

from orderflow import log


def pytest_configure() -> None:
    """Let Ctrl-C be heard again: a shell that starts this in the background has it ignored, by every process that is
    started from here too, and some tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_log_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that sets the process's log level sets it for itself only."""
    monkeypatch.setattr(log, "_threshold", log._threshold)
