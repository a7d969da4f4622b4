"""A topology with a service that wants its events in order."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from terraform.stacks import Stacks, TerraformFailed


def test_azure_refuses_it_and_says_why_and_for_whom(stacks: Stacks, topology: dict[str, Any]) -> None:
    ordered = deepcopy(topology)
    ordered["services"]["email"]["ordered"] = True
    with pytest.raises(TerraformFailed, match=r"Azure has no order[\s\S]*email"):
        stacks.plan("azure", ordered)
