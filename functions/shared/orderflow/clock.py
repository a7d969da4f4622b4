"""The real clock behind the `Clock` port."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
