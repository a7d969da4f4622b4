"""A service that is ordered, which Azure cannot feed."""

from __future__ import annotations

from pathlib import Path

import pytest

from orderflow_local.azure.cloud import AzureCloud
from orderflow_local.cloud import Setup


def test_the_local_azure_refuses_a_service_that_wants_its_events_in_order(tmp_path: Path) -> None:
    topology = {"services": {"email": {"trigger": "queue", "ordered": True}, "sms": {"trigger": "queue"}}}
    with pytest.raises(ValueError, match=r"no order.*\['email'\]"):
        AzureCloud(Setup(tmp_path, {}, ""), topology).start(lambda _: None)
