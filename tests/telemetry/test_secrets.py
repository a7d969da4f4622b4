"""Nothing secret and nothing personal gets out: planted in every door, looked for in everything that is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from orderflow.metrics import EmfMeter, Metrics
from orderflow.observer import Observer
from orderflow.ports import Delivery
from orderflow.redact import redact, said
from planted import API_TOKEN, PERSONAL
from telemetry.world import Observed

PAYMENT_TOKEN = "tok_planted_4242"
CONNECTIONS = (
    "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=cGxhbnRlZGtleQ==;EndpointSuffix=core.windows.net",
    "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey=cGxhbnRlZA0x",
    "postgresql://orders:planted-pw@db.example.com/orders",  # pragma: allowlist secret
    "https://hooks.example.com/charge?sig=planted-signature&order=o-1",
)
PLANTED = (
    *("eyJhbGciOiJSUzI1NiJ9", "c2lnbmF0dXJlLXBsYW50ZWQ", "Plantagenet", "Geheimgasse", "Plantstadt", "ZX9 9QK"),
    *("planted.zoe", "+4930999077123", "device-planted-77", "cGxhbnRlZ", "planted-pw", "planted-signature"),
    "sk_live_planted",
)


class Leaking:
    """A provider whose errors quote all that they know."""

    key_life_seconds = 86_400

    def __init__(self, real: Any, text: str) -> None:
        self._real = real
        self._text = text
        self.times = 3

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            if self.times:
                self.times -= 1
                raise RuntimeError(self._text)
            return getattr(self._real, name)(**arguments)

        return call


def everything(world: Observed, printed: str, emf: list[str]) -> dict[str, str]:
    """All that came out, by where."""
    letters = [letter for service in world.broker.letters.values() for letter in service]
    return {
        "logs": printed,
        "spans": "".join(span.to_json() for span in world.exporter.spans),
        "metrics": "".join(emf) + str(world.figures.measures),
        "attempts": json.dumps([stored.document for _, stored in world.ports.store.scan("attempts")]),
        "reasons of dead letters": json.dumps([[letter.reason, letter.detail] for letter in letters]),
        "events": "".join(envelope.to_bytes().decode() for envelope in world.broker.published),
    }


def test_planted_secrets_and_personal_data_are_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    world = Observed()
    emf: list[str] = []
    observer = world.app._observer
    assert observer is not None
    world.app._observer = Observer(*observer._sinks, Metrics(EmfMeter("orderflow", emf.append)))
    quoting = f"cannot reach {'; '.join(CONNECTIONS)} with sk_live_planted1 for {PERSONAL['email']} {PERSONAL['sms']}"
    world.ports.dependencies = {
        name: Leaking(real, f"{quoting} (Authorization: Bearer {API_TOKEN}, card {PAYMENT_TOKEN})")
        for name, real in world.ports.dependencies.items()
    }
    assert world.ask("PUT", "/customers/me", PERSONAL).status == 200
    assert world.ask("PUT", "/customers/me", {**PERSONAL, "email": f"no mail {PERSONAL['email']} at all"}).status == 422
    for path in (f"/customers/{PERSONAL['email']}", f"/orders/{API_TOKEN}", f"/{CONNECTIONS[2]}"):
        assert world.ask("GET", path).status == 404
    world.place(PAYMENT_TOKEN)
    refused = world.ask("POST", "/orders", {"lines": "Geheimgasse 7", "payment_token": PAYMENT_TOKEN, **PERSONAL})
    assert refused.status == 422
    poison = json.dumps({"data": PERSONAL, "token": API_TOKEN}).encode()
    world.broker.queues["payment"].append(Delivery(poison))
    world.settle_with_retries()

    found = everything(world, capsys.readouterr().out, emf)
    assert "ShipmentCreated" in found["events"], "the whole story was told"
    assert "malformed" in found["reasons of dead letters"]
    assert "RuntimeError" in found["attempts"] + found["logs"] and "[redacted]" in found["logs"]
    assert len(found["spans"]) > 10_000 and "orderflow.deliveries" in found["metrics"]
    for where, text in found.items():
        for secret in PLANTED:
            assert secret not in text, f"{secret} is in the {where}: ...{text[max(0, text.find(secret) - 200) :][:400]}"
    del found["events"]  # The payment service has to be told, and by nothing but the event.
    for where, text in found.items():
        assert PAYMENT_TOKEN not in text, where


@pytest.mark.parametrize(
    "text", [*CONNECTIONS, f"Bearer {API_TOKEN}", '{"password": "planted-pw"}', "tok_planted_4242"]
)
def test_what_looks_like_a_secret_is_cut_out_of_an_error(text: str) -> None:
    told = said(RuntimeError(f"it failed: {text} (twice)"))

    assert told.startswith("RuntimeError: it failed: ")
    assert not [secret for secret in (*PLANTED, "tok_planted") if secret in told], told


@pytest.mark.parametrize(
    "text",
    [
        "Conflict: inventory o-1 moved on",
        "data.payment_token: Field required",
        "gateway gave no answer: DynamoDB GetItem: ThrottlingException",
        "too many conflicts on stock SKU-1.3",
        "body: it is no JSON: unexpected character: line 1 column 1 (char 0)",
        "KeyError: 'ORDERFLOW_TOPIC_ARN'",
    ],
)
def test_what_a_person_needs_to_mend_it_stays(text: str) -> None:
    assert redact(text) == text


def test_what_pydantic_quotes_of_its_input_is_left_out() -> None:
    class Model(BaseModel):
        street: int

    try:
        Model.model_validate({"street": "Geheimgasse"})
    except ValueError as error:
        told = said(error)
    assert told.startswith("ValidationError: street: ")
    assert "Geheimgasse" not in told


@given(st.text())
def test_any_text_can_be_told(text: str) -> None:
    assert isinstance(redact(text), str)
