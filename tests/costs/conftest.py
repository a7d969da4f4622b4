"""What is counted here is the core workflow, whatever services are added to it."""

from __future__ import annotations

import pytest

from added import CORE
from orderflow.services import SERVICES


@pytest.fixture(autouse=True)
def _core_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is added costs what it costs: `orderflow cost` says so, and these figures stay."""
    for name in [name for name in SERVICES if name not in CORE]:
        monkeypatch.delitem(SERVICES, name)
