"""The external systems behind the ports gateway, carrier and channels: which provider each of them is.

``ORDERFLOW_<SYSTEM>`` names the provider of a system (``simulated`` where it is not set) and
``ORDERFLOW_<SYSTEM>_<OPTION>`` its options; docs/providers.md lists both. A provider's module is imported when it is
chosen, and has a function ``make(choice)``. The credentials are in the secret of the system's name, in the cloud's own
store.

No provider's SDK is used here. Each of these APIs is one or two HTTPS requests of ours, and the SDKs weigh megabytes,
bring HTTP clients of their own and retry by themselves, which the shell does with breaker and backoff already. Instead
`tests/providers` has each SDK send the same request to the same stub, and read the stub's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from orderflow.ports import Clock, Secrets, Store
from orderflow.providers.simulated import SimulatedCarrier, SimulatedGateway, SimulatedMessenger
from orderflow.secret import Secret
from orderflow.settings import BadSetting

SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a provider is made of: the system that it stands for, its options by lower-case name, its secret (and where
    others are), and the store for what it must remember."""

    system: str
    options: Mapping[str, str]
    secret: Secret
    secrets: Secrets
    store: Store
    clock: Clock

    def option(self, name: str, default: str | None = None) -> str:
        """An option. Raises `BadSetting` naming the variable where it has no value and no default."""
        value = self.options.get(name) or default
        if value is None:
            raise BadSetting(f"ORDERFLOW_{self.system.upper()}_{name.upper()} must be set: see docs/providers.md")
        return value


Make = Callable[[Choice], Any]


def _module(name: str) -> Make:
    """A provider by its module, imported when it is made."""

    def make(choice: Choice) -> Any:
        return import_module(f"orderflow.providers.{name}").make(choice)

    return make


def _messenger(choice: Choice) -> SimulatedMessenger:
    return SimulatedMessenger(choice.system, choice.store, choice.clock)


_EVERYWHERE: dict[str, dict[str, Make]] = {
    "gateway": {
        SIMULATED: lambda choice: SimulatedGateway(choice.store, choice.clock),
        "stripe": _module("stripe"),
    },
    "carrier": {
        SIMULATED: lambda choice: SimulatedCarrier(choice.store, choice.clock),
        "easypost": _module("easypost"),
    },
    "email": {SIMULATED: _messenger, "acs": _module("acs"), "sendgrid": _module("sendgrid")},
    "sms": {SIMULATED: _messenger, "twilio": _module("twilio")},
    "push": {SIMULATED: _messenger, "fcm": _module("fcm")},
    # The simulated gateway tells nothing by itself.
    "webhook": {SIMULATED: lambda _: None, "stripe": _module("stripe_webhook")},
}
"""Providers by system and name that every cloud has."""


def from_environment(
    environ: Mapping[str, str],
    store: Store,
    clock: Clock,
    secrets: Secrets,
    own: Mapping[str, Mapping[str, Make]] | None = None,
) -> dict[str, Any]:
    """The providers by dependency name; ``own`` are those that only this cloud has. ``webhook`` is there where one was
    chosen. Raises `BadSetting` for a provider that there is not, and for an option that is missing or wrong."""
    made = {
        system: _chosen(system, environ, {**everywhere, **(own or {}).get(system, {})})(
            Choice(system, _options(system, environ), Secret(secrets, system, clock), secrets, store, clock)
        )
        for system, everywhere in _EVERYWHERE.items()
    }
    return {system: provider for system, provider in made.items() if provider is not None}


def _chosen(system: str, environ: Mapping[str, str], makes: Mapping[str, Make]) -> Make:
    variable = f"ORDERFLOW_{system.upper()}"
    name = environ.get(variable, SIMULATED)
    if name not in makes:
        raise BadSetting(f"{variable} must be one of {', '.join(sorted(makes))} here, not {name!r}")
    return makes[name]


def _options(system: str, environ: Mapping[str, str]) -> dict[str, str]:
    prefix = f"ORDERFLOW_{system.upper()}_"
    return {name.removeprefix(prefix).lower(): text for name, text in environ.items() if name.startswith(prefix)}
