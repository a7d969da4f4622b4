"""Which provider a system has is the operator's choice, and a wrong choice is told before anything is done."""

from __future__ import annotations

from typing import Any

import pytest

from orderflow.providers import from_environment
from orderflow.providers.simulated import SimulatedCarrier, SimulatedGateway, SimulatedMessenger
from orderflow.providers.stripe import StripeGateway
from orderflow.providers.web import BadCall
from orderflow.settings import BadSetting
from providers.conftest import Serve, choose
from unit.support import Lab
from web_stub import Answer


def made(lab: Lab, **environ: str) -> dict[str, Any]:
    """The providers of an environment."""
    return from_environment(environ, lab.store, lab.clock, lab.ports.secrets)


def test_everything_is_simulated_unless_it_is_chosen(lab: Lab) -> None:
    kinds = {name: type(each) for name, each in made(lab).items()}
    assert kinds == {
        "gateway": SimulatedGateway,
        "carrier": SimulatedCarrier,
        "email": SimulatedMessenger,
        "sms": SimulatedMessenger,
        "push": SimulatedMessenger,
    }
    assert isinstance(made(lab, ORDERFLOW_GATEWAY="stripe")["gateway"], StripeGateway)


def test_a_provider_that_there_is_not_is_refused_and_the_others_are_named(lab: Lab) -> None:
    with pytest.raises(BadSetting, match="ORDERFLOW_GATEWAY must be one of simulated, stripe here, not 'paypal'"):
        made(lab, ORDERFLOW_GATEWAY="paypal")
    with pytest.raises(BadSetting, match="ORDERFLOW_EMAIL must be one of acs, sendgrid, simulated here, not 'ses'"):
        made(lab, ORDERFLOW_EMAIL="ses")


@pytest.mark.parametrize("url", ["http://api.stripe.com", "http://127.0.0.1.example.com", "ftp://127.0.0.1", "x"])
def test_a_secret_goes_nowhere_but_through_tls(lab: Lab, url: str) -> None:
    with pytest.raises(BadSetting, match="https"):
        made(lab, ORDERFLOW_GATEWAY="stripe", ORDERFLOW_GATEWAY_URL=url)


def test_no_secret_is_read_before_it_is_needed(lab: Lab) -> None:
    made(lab, ORDERFLOW_GATEWAY="stripe")
    assert lab.ports.secrets.reads == 0  # type: ignore[attr-defined]


def test_a_redirect_does_not_carry_the_secret_anywhere(lab: Lab, serve: Serve) -> None:
    elsewhere = serve(lambda _seen: Answer(200, "{}"))
    provider = serve(lambda _seen: Answer(307, "", {"location": f"{elsewhere.url}/v1/payment_intents"}))
    gateway = choose(lab, "gateway", "sk_test_1", ORDERFLOW_GATEWAY="stripe", ORDERFLOW_GATEWAY_URL=provider.url)
    with pytest.raises(BadCall, match="307"):
        gateway.charge(key="k", order_id="o", amount=100, currency="EUR", token="pm_card_visa")
    assert elsewhere.seen == []
