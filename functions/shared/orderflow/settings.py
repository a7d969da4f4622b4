"""What an operator may set, read once from environment variables ``ORDERFLOW_<NAME>``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from orderflow.log import LEVELS

_AT_LEAST_ONE = (
    *("sweep_shards", "stock_shards", "shard_units", "shard_reservations", "conflict_tries"),
    *("breaker_failures", "max_lines", "max_body", "rate_burst"),
)


class BadSetting(ValueError):
    """An environment variable holds what its setting cannot be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Amounts are minor units of the order's currency; times are seconds."""

    elevated_from: int = 50_000
    """Orders above this total are of tier elevated: they get an SMS as well."""
    high_from: int = 100_000
    """Orders above this total are of tier high: they are screened for fraud."""
    suspect_from: int = 1_000_000
    """Screening suspects an order above this total."""
    suspect_quantity: int = 500
    """Screening suspects an order with a line of at least this many units."""
    hold_for_screening: bool = False
    """Whether a high-tier order waits for FraudCleared before it is confirmed."""

    order_deadline: float = 900.0
    """A pending order is cancelled after this time."""
    sweep_after: float = 60.0
    """An order that is not closed is looked at by the sweeper after this time, then at growing intervals."""
    sweep_cap: float = 3600.0
    """The longest of these intervals."""
    sweep_shards: int = 4
    """Index partitions over which the open orders are spread; may grow, never shrink while orders are open."""

    stock_shards: int = 32
    """The most documents over which one SKU's stock is spread: more of them, fewer conflicts of orders that want it. A
    SKU that is spread already stays so when this is less."""
    shard_units: int = 20
    """A SKU has one such document for as many units in stock."""
    shard_reservations: int = 200
    """Open reservations that one stock document may hold; beyond it an order waits."""

    conflict_tries: int = 12
    """How often a lost compare-and-set is tried again before the message is given back."""
    breaker_failures: int = 3
    """Failures of an external system within ``breaker_window`` that open its circuit breaker."""
    breaker_window: float = 60.0
    """Time within which these failures are counted."""
    breaker_cooldown: float = 15.0
    """How long an open breaker waits before it lets one call try."""
    breaker_cache: float = 2.0
    """For how long a process trusts its last look at a breaker."""
    gateway_key_life: float = 86_400.0
    """How long the payment gateway remembers an idempotency key."""
    gateway_key_margin: float = 3_600.0
    """An intent older than the key life less this margin is looked up before the gateway is called again."""
    send_lease: float = 30.0
    """For how long one delivery has the sole right to send a message."""

    saga_retention: float = 0.0
    """For how long the documents of orders are kept, 0 for ever. An older event is not replayed into a service that
    has effects."""

    catalogue_cache: float = 30.0
    """For how long the API trusts a price it has read."""
    max_lines: int = 100
    """Lines that an order may have."""
    max_body: int = 262_144
    """Largest accepted request body in bytes."""
    rate_per_minute: int = 0
    """Requests a minute by which one customer may change something; 0 for no limit."""
    rate_burst: int = 20
    """So many of them may come at once, after a pause."""

    signatures: str = "off"
    """``sign``: events are signed (`orderflow.signatures`); ``require``: and what is not is refused; or ``off``."""

    issuer: str = ""
    """OIDC issuer of the API's bearer tokens (the ``iss`` claim)."""
    audience: str = ""
    """Who the tokens must be for (the ``aud`` claim)."""
    jwks_url: str = ""
    """Where the issuer publishes its keys."""
    log_level: str = "INFO"
    """The least severe level that is logged."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read every setting that is given. Raises `BadSetting` naming the variable."""
        given: dict[str, Any] = {}
        for field in fields(cls):
            variable = f"ORDERFLOW_{field.name.upper()}"
            if variable in environ:
                value = _parse(variable, environ[variable], str(field.type))
                if not _makes_sense(field.name, value):
                    raise BadSetting(f"{variable} cannot be {environ[variable]!r}")
                given[field.name] = value
        return cls(**given)


def _parse(variable: str, text: str, type_name: str) -> Any:
    try:
        match type_name:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        raise BadSetting(f"{variable} must be of type {type_name}, not {text!r}") from None


def _makes_sense(name: str, value: Any) -> bool:
    if isinstance(value, int | float):
        return math.isfinite(value) and value >= (name in _AT_LEAST_ONE)
    if name == "signatures":
        return value in ("off", "sign", "require")
    return name != "log_level" or value.upper() in LEVELS
