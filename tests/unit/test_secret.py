"""A secret as a process keeps it."""

from __future__ import annotations

import pytest

from orderflow.ports import Unavailable
from orderflow.secret import REFRESH_SECONDS, Secret
from orderflow_local.memory import MemorySecrets


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_a_value_is_read_once_however_often_it_is_used() -> None:
    store = MemorySecrets({"gateway": "k1\n"})
    secret = Secret(store, "gateway", Hands())
    assert [secret.value() for _ in range(3)] == ["k1", "k1", "k1"]
    assert store.reads == 1


def test_a_refused_value_is_read_anew_and_not_again_for_each_refusal() -> None:
    store, clock = MemorySecrets({"gateway": "old"}), Hands()
    secret = Secret(store, "gateway", clock)
    refused = secret.value()
    store.values["gateway"] = "new"

    assert not secret.changed(refused)  # just read: the store is not asked for each message
    clock.sleep(REFRESH_SECONDS)
    assert secret.changed(refused)
    assert secret.value() == "new"
    assert secret.changed(refused)  # a call that was under way with the old value learns of the new one
    assert store.reads == 2


def test_a_secret_that_is_missing_is_unavailable_and_asked_for_again() -> None:
    store = MemorySecrets()
    secret = Secret(store, "gateway", Hands())
    with pytest.raises(Unavailable, match="gateway"):
        secret.value()
    store.values["gateway"] = "here now"
    assert secret.value() == "here now"


def test_a_secret_prints_as_its_name() -> None:
    secret = Secret(MemorySecrets({"gateway": "sk_live_1"}), "gateway", Hands())
    secret.value()
    assert f"{secret} {secret!r}" == "Secret('gateway') Secret('gateway')"
