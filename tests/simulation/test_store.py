"""The store of the simulator keeps the contract that the clouds' stores keep."""

from __future__ import annotations

import pytest

from contracts.store_contract import StoreContract
from orderflow.ports import Store
from simulation.store import SimulatedStore
from simulation.world import World


class TestSimulatedStore(StoreContract):
    """With copies by JSON: sharing documents with their readers is the one liberty that the faster kind takes."""

    @pytest.fixture
    def store(self) -> Store:
        return SimulatedStore(World(0), through_json=True)
