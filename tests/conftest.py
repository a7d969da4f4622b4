"""What all tests need."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let Ctrl-C be heard again: a shell that starts this in the background has it ignored, by every process that is
    started from here too, and some tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
