"""Cloud Scheduler, a stand-in of ours: calls a function every so often, with a token of the local issuer."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from urllib.parse import urlencode

_TIMEOUT_SECONDS = 60


class Scheduler:
    """A thread that posts to a URL every ``every_s`` seconds, the first time after one interval."""

    def __init__(self, url: str, *, issuer: str, email: str, every_s: float) -> None:
        self._url = url
        self._token_url = f"{issuer}/token?{urlencode({'aud': url, 'email': email, 'ttl': 300})}"
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a call that is under way is not waited for."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                with urllib.request.urlopen(self._token_url, timeout=5) as answer:
                    token = answer.read().decode()
                headers = {"Authorization": f"Bearer {token}"}
                request = urllib.request.Request(self._url, data=b"{}", headers=headers, method="POST")
                with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):
                    pass
            except (
                OSError
            ):  # the function is being started again, or said no: its log tells; the next call comes anyway
                continue
