"""What Stripe tells by itself of a payment: a refund that failed after Stripe had accepted it, and a dispute.

Signature
    ``Stripe-Signature: t=<seconds>,v1=<hex>,...`` is HMAC-SHA256 with the endpoint's secret (``whsec_...``) over the
    timestamp, a dot and the body as it came (docs.stripe.com/webhooks/signature-verification). Only ``v1`` counts;
    while a secret is rolled there is one for each. A timestamp may be five minutes off, before or behind: Stripe's SDK
    bounds its age alone.
Events
    ``refund.failed`` and ``charge.dispute.created``, which Stripe sends at least once and in no order
    (docs.stripe.com/webhooks#best-practices). Either names the PaymentIntent; the order's id is in that one's metadata,
    so it is asked for: a dispute has none of ours. All other types, and payments that are not of an order, are ignored.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from orderflow.ports import Clock, Unavailable
from orderflow.providers import Choice
from orderflow.providers.stripe import API, refusal, sign
from orderflow.providers.web import Web
from orderflow.secret import Secret

TOLERANCE_SECONDS = 300
_PREFIX = "whsec_"
FACTS = {"refund.failed": "refund-failed", "charge.dispute.created": "dispute-opened"}

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$")]


class _Data(BaseModel):
    object: dict[str, Any]


class _Event(BaseModel):
    """docs.stripe.com/api/events/object"""

    type: str
    data: _Data


class _Subject(BaseModel):
    """What a refund and a dispute have in common. ``failure_reason`` is a refund's, ``reason`` a dispute's: a refund's
    ``reason`` says why it was made."""

    id: _Id
    payment_intent: _Id | None = None
    failure_reason: str | None = None
    reason: str | None = None


def make(choice: Choice) -> StripeWebhook:
    """The webhook; option ``url`` for another address than Stripe's. The payment is asked for with the gateway's
    secret."""
    key = Secret(choice.secrets, "gateway", choice.clock)
    return StripeWebhook(choice.secret, Web("Stripe", choice.option("url", API), key, choice.clock, sign), choice.clock)


def fault(header: str, body: bytes, secret: str, now: float) -> str | None:
    """Why a request is not to be believed; None where Stripe has signed it."""
    fields = [field.partition("=")[::2] for field in header.split(",")]
    timestamp = next((value for name, value in fields if name == "t"), "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return "the signature has no timestamp"
    wanted = hmac.digest(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hex().encode()
    given = [value.encode(errors="replace") for name, value in fields if name == "v1"]
    if not any(hmac.compare_digest(wanted, each) for each in given):
        return "no signature of the scheme v1 is ours"
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        return "the signature is too old, or of the future"
    return None


class StripeWebhook:
    """`orderflow.ports.Webhook` of Stripe."""

    def __init__(self, secret: Secret, web: Web, clock: Clock) -> None:
        self._secret = secret
        self._web = web
        self._clock = clock

    def notice(self, *, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        if (refused := self._fault(headers.get("stripe-signature", ""), body)) is not None:
            return {"status": "refused", "reason": refused}
        try:
            event = _Event.model_validate_json(body)
            if event.type not in FACTS:
                return {"status": "ignored"}
            subject = _Subject.model_validate(event.data.object)
        except ValidationError:
            return {"status": "refused", "reason": "the body is no event of Stripe's API"}
        if (order_id := self._order_of(subject.payment_intent)) is None:
            return {"status": "ignored"}
        reason = subject.failure_reason if event.type == "refund.failed" else subject.reason
        return {
            "status": "told",
            "fact": FACTS[event.type],
            "order_id": order_id,
            "reference": subject.id,
            "reason": reason or "no reason given",
        }

    def _fault(self, header: str, body: bytes) -> str | None:
        value = self._secret.value()
        found = self._fault_by(value, header, body)
        if found is not None and self._secret.changed(value):
            value = self._secret.value()
            found = self._fault_by(value, header, body)
        if not value.startswith(_PREFIX):
            raise Unavailable(f"the secret {self._secret.name} is no signing secret of an endpoint: {found}")
        return found

    def _fault_by(self, value: str, header: str, body: bytes) -> str | None:
        # A secret that nobody has put in yet holds a stand-in that everybody knows.
        if not value.startswith(_PREFIX):
            return f"it does not begin with {_PREFIX}"
        return fault(header, body, value, self._clock.now())

    def _order_of(self, intent_id: str | None) -> str | None:
        if intent_id is None:
            return None
        reply = self._web.get(f"/v1/payment_intents/{intent_id}")
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise refusal(reply)
        order_id = (reply.json().get("metadata") or {}).get("order_id")
        return order_id if isinstance(order_id, str) and 0 < len(order_id) <= 200 else None
