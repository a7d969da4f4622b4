"""Stripe: one PaymentIntent an order, confirmed as it is made (docs.stripe.com/api/payment_intents).

The payment token of an order is the id of a PaymentMethod (``pm_...``) that the shop's page made in the browser; cards
only, and a card that wants the customer to confirm once more is refused, because nobody is there to ask.

Idempotency
    Our key is sent as ``Idempotency-Key``. Stripe keeps the first answer of a key, a 500 included, for 24 hours or more
    (docs.stripe.com/api/idempotent_requests). So a timeout is asked again under the same key, but a 5xx that Stripe
    repeats says nothing: then, and after the key's life, the intent is looked up by the order's id in its metadata.
    The search index may lag by a minute, by an hour in an outage (docs.stripe.com/search#data-freshness), so the
    intents of the last hour are read from the list, which does not lag. A charge is refunded once whatever the key:
    Stripe gives back no more than was taken.
Answers
    402: the card is refused, for good. 400 that blames the payment method, the amount or the currency: likewise. 403:
    an operator's matter. Any other 4xx: `BadCall`. The reasons are Stripe's codes; its messages may hold personal data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orderflow.ports import Clock, Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Call, NoAnswer, Reply, Web

API = "https://api.stripe.com"
VERSION = "2026-10-28.endive"
"""The API's version whose answers are read here; the SDK that `tests/providers` compares with speaks the same."""

SEARCH_LAG_SECONDS = 3600
_PAGES = 20
"""Pages of 100 intents of the last hour that are looked through; with more of them, one waits until there are fewer."""

_TAKEN = ("succeeded",)
_GIVEN_BACK = ("succeeded", "pending", "requires_action")
"""States of a refund that is on its way; what fails later `orderflow.providers.stripe_webhook` hears of."""

_CUSTOMERS_FAULT = ("payment_method", "amount", "currency")
_KEPT_QUIET = ("fraudulent", "lost_card", "merchant_blacklist", "stolen_card")
"""Decline codes that a customer is not to be told (docs.stripe.com/declines/codes)."""

_TIMES_100 = ("ISK", "UGX")
"""Currencies without decimals whose amounts Stripe wants with two (docs.stripe.com/currencies#special-cases)."""


def make(choice: Choice) -> StripeGateway:
    """The gateway; option ``url`` for another address than Stripe's."""
    return StripeGateway(Web("Stripe", choice.option("url", API), choice.secret, choice.clock, sign), choice.clock)


def sign(value: str, _call: Call) -> dict[str, str]:
    """The secret is a key of the account's; the answers are of the version that is read here."""
    return {"authorization": f"Bearer {value}", "stripe-version": VERSION}


class StripeGateway:
    """`orderflow.ports.Gateway` at Stripe; a charge's id is that of its PaymentIntent."""

    key_life_seconds = 86_400

    def __init__(self, web: Web, clock: Clock) -> None:
        self._web = web
        self._clock = clock

    def charge(self, *, key: str, order_id: str, amount: int, currency: str, token: str) -> dict[str, Any]:
        fields = {
            "amount": str(_amount(amount, currency)),
            "currency": currency.lower(),
            "confirm": "true",
            "error_on_requires_action": "true",
            "metadata[order_id]": order_id,
            "payment_method": token,
            "payment_method_types[0]": "card",
        }
        try:
            reply = self._post("/v1/payment_intents", fields, key)
        except NoAnswer as failure:
            # A 5xx that Stripe gives again will be its answer for as long as it knows the key.
            if not _repeated(failure):
                raise
            return self._known(order_id)
        if reply.status == 200:
            return self._charged(reply.json())
        error = _error(reply)
        if reply.status == 402:
            return {"status": "refused", "reason": f"card declined: {_decline(error)}"}
        if _other_words(reply):  # The key was used by a release that asked in other words.
            return self._known(order_id)
        if reply.status == 400 and error.get("param") in _CUSTOMERS_FAULT:
            return {"status": "refused", "reason": f"not accepted: {_code(error)}"}
        raise refusal(reply)

    def refund(self, *, key: str, charge_id: str, amount: int, currency: str) -> dict[str, Any]:
        fields = {
            "amount": str(_amount(amount, currency)),
            "metadata[key]": key,
            "payment_intent": charge_id,
        }
        try:
            reply = self._post("/v1/refunds", fields, key)
        except NoAnswer as failure:
            if _repeated(failure) and (refunded := self._refund_of(charge_id)):
                return refunded
            raise
        if reply.status == 200:
            refund = reply.json()
            if refund.get("status") in _GIVEN_BACK:
                return {"status": "refunded", "refund_id": refund["id"]}
            return {"status": "refused", "reason": str(refund.get("failure_reason") or refund.get("status"))}
        error = _error(reply)
        # Given back already, under an older key or in Stripe's dashboard.
        already = error.get("code") == "charge_already_refunded" or _other_words(reply)
        if already and (refunded := self._refund_of(charge_id)):
            return refunded
        if reply.status in (400, 402, 404):
            return {"status": "refused", "reason": _code(error)}
        raise refusal(reply)

    def lookup(self, *, order_id: str) -> dict[str, Any]:
        intents = [self._intent(intent_id) for intent_id in self._intent_ids(order_id)]
        taken = [self._refund_of(each["id"]) or _charge(each) for each in intents if each.get("status") in _TAKEN]
        if taken:
            return next((answer for answer in taken if answer["status"] == "charged"), taken[0])
        if any(each.get("status") == "processing" for each in intents):
            raise Unavailable("Stripe is still processing the payment")
        if intents:
            return {"status": "refused", "reason": f"not completed: {intents[0].get('status')}"}
        return {"status": "none"}

    def _charged(self, intent: dict[str, Any]) -> dict[str, Any]:
        """What an intent's answer means. It may be an old one, repeated: only a final status is believed."""
        status = intent.get("status")
        if status == "processing":
            intent = self._intent(intent["id"])
            status = intent.get("status")
        if status in _TAKEN:
            return _charge(intent)
        if status in ("canceled", "requires_payment_method"):
            return {"status": "refused", "reason": f"not completed: {status}"}
        raise Unavailable(f"Stripe has the payment in status {status}")

    def _known(self, order_id: str) -> dict[str, Any]:
        answer = self.lookup(order_id=order_id)
        if answer["status"] == "none":
            raise Unavailable("Stripe has failed under this key, and knows of no payment for the order yet")
        return answer

    def _refund_of(self, intent_id: str) -> dict[str, Any] | None:
        refunds = self._read("/v1/refunds", {"payment_intent": intent_id, "limit": "100"})["data"]
        on_its_way = (refund for refund in refunds if refund.get("status") in _GIVEN_BACK)
        return next(({"status": "refunded", "refund_id": refund["id"]} for refund in on_its_way), None)

    def _intent(self, intent_id: str) -> dict[str, Any]:
        return self._read(f"/v1/payment_intents/{intent_id}", {})

    def _intent_ids(self, order_id: str) -> Iterator[str]:
        """The intents of an order: those that the search knows, else those of the last hour."""
        quoted = order_id.replace("\\", "\\\\").replace("'", "\\'")
        query = {"query": f"metadata['order_id']:'{quoted}'", "limit": "100"}
        found = [intent["id"] for intent in self._read("/v1/payment_intents/search", query)["data"]]
        yield from found or self._recent_ids(order_id)

    def _recent_ids(self, order_id: str) -> Iterator[str]:
        query = {"created[gte]": str(int(self._clock.now()) - SEARCH_LAG_SECONDS), "limit": "100"}
        for _ in range(_PAGES):
            page = self._read("/v1/payment_intents", query)
            for intent in page["data"]:
                if intent.get("metadata", {}).get("order_id") == order_id:
                    yield intent["id"]
            if not page.get("has_more"):
                return
            query["starting_after"] = page["data"][-1]["id"]
        raise Unavailable("Stripe has too many payments of the last hour to be sure that there is none for the order")

    def _read(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        reply = self._web.get(path, query)
        if reply.status != 200:
            raise refusal(reply)
        value = reply.json()
        if "id" not in value and "data" not in value:
            raise Unavailable("Stripe answered what is no object of its API")
        return value

    def _post(self, path: str, fields: dict[str, str], key: str) -> Reply:
        reply = self._web.post_form(path, fields, {"idempotency-key": key})
        if reply.status == 200 and "id" not in reply.json():
            raise NoAnswer("Stripe answered what is no object of its API")
        return reply


def _amount(amount: int, currency: str) -> int:
    return amount * 100 if currency in _TIMES_100 else amount


def _charge(intent: dict[str, Any]) -> dict[str, Any]:
    return {"status": "charged", "charge_id": intent["id"]}


def _repeated(error: NoAnswer) -> bool:
    return error.reply is not None and error.reply.headers.get("idempotent-replayed") == "true"


def _other_words(reply: Reply) -> bool:
    return reply.status == 400 and _error(reply).get("type") == "idempotency_error"


def _error(reply: Reply) -> dict[str, Any]:
    error = reply.json().get("error")
    return error if isinstance(error, dict) else {}


def _code(error: dict[str, Any]) -> str:
    return str(error.get("code") or error.get("type") or "no reason given")


def _decline(error: dict[str, Any]) -> str:
    code = error.get("decline_code") or _code(error)
    return "generic_decline" if code in _KEPT_QUIET else str(code)


def refusal(reply: Reply) -> Exception:
    """An answer that is no answer to the payment."""
    error = _error(reply)
    if reply.status == 409:
        return Unavailable("Stripe is busy with another call of the same key")
    if reply.status == 403:
        return Unavailable(f"Stripe does not permit this to our key: {_code(error)}")
    return BadCall(
        f"Stripe does not take the request ({reply.status}): {_code(error)} {error.get('param') or ''}".strip()
    )
