"""A stub of Stripe's API, for the few calls that are made of it, with Stripe's rules of idempotency. What it answers
has fields of Stripe's own models only; `test_stripe` lets Stripe's SDK read all of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from web_stub import Answer, Seen, WebStub

DECLINED = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_visa_chargeDeclinedStolenCard": "stolen_card",
}
"""Test cards (docs.stripe.com/testing#declined-payments)."""


@dataclass
class StripeStub:
    """``key`` is the only secret key it takes. ``indexed`` is whether the search sees new intents yet. ``next`` are
    answers that are given in the place of the next ones; "lost" does the work and loses the answer, "late" is too late,
    "500" fails after the work and keeps that as the key's answer."""

    key: str = "sk_test_1"
    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    saved: dict[str, tuple[dict[str, str], Answer]] = field(default_factory=dict)
    next: list[str] = field(default_factory=list)
    indexed: bool = True
    now: float = 1_800_000_000.0

    def start(self) -> WebStub:
        """Serve it."""
        return WebStub(self.answer)

    def forget_keys(self) -> None:
        """A day later."""
        self.saved.clear()

    def answer(self, seen: Seen) -> Answer:
        """One request."""
        if seen.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, type="invalid_request_error", message=f"Invalid API Key provided: {self.key[:8]}***")
        trouble = self.next.pop(0) if self.next else ""
        match trouble:
            case "429":
                return _error(429, {"retry-after": "7"}, type="rate_limit_error", code="rate_limit")
            case "409":
                return _error(409, type="idempotency_error", code="idempotency_key_in_use")
            case "garbage":
                return Answer(200, "<html>")
            case "503":
                return Answer(503, "", {"retry-after": "Fri, 15 Jan 2027 08:00:20 GMT"})
        answer = self._keyed(seen, trouble) if seen.method == "POST" else self._read(seen)
        return Answer(lost=True) if trouble == "lost" else answer

    def _keyed(self, seen: Seen, trouble: str) -> Answer:
        """docs.stripe.com/api/idempotent_requests"""
        key = seen.headers["idempotency-key"]
        if key in self.saved:
            form, answer = self.saved[key]
            if form != seen.form:
                return _error(400, type="idempotency_error", message="Keys can only be used with the same parameters")
            return Answer(answer.status, answer.body, {"idempotent-replayed": "true"})
        answer = self._charge(seen.form) if seen.path == "/v1/payment_intents" else self._refund(seen.form)
        if trouble == "500":
            answer = _error(500, type="api_error")
        if answer.status != 400:  # What does not pass validation is not kept.
            self.saved[key] = (seen.form, answer)
        return answer

    def _charge(self, form: dict[str, str]) -> Answer:
        method = form["payment_method"]
        if not method.startswith("pm_"):
            return _error(400, type="invalid_request_error", code="resource_missing", param="payment_method")
        if int(form["amount"]) < 50:
            return _error(400, type="invalid_request_error", code="amount_too_small", param="amount")
        if "description" in form:
            return _error(400, type="invalid_request_error", code="parameter_unknown", param="description")
        intent_id = f"pi_{len(self.intents) + 1}"
        declined = DECLINED.get(method)
        self.intents[intent_id] = intent = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": int(form["amount"]),
            "amount_received": 0 if declined else int(form["amount"]),
            "created": int(self.now),
            "currency": form["currency"],
            "latest_charge": f"ch_{len(self.intents) + 1}",
            "livemode": False,
            "metadata": {"order_id": form["metadata[order_id]"]},
            "payment_method": None if declined else method,
            "payment_method_types": [form["payment_method_types[0]"]],
            "status": "requires_payment_method" if declined else "succeeded",
        }
        if method == "pm_slow":
            intent["status"] = "processing"
        if declined:
            return _error(402, type="card_error", code="card_declined", decline_code=declined, payment_intent=intent)
        return Answer(200, json.dumps(intent))

    def _refund(self, form: dict[str, str]) -> Answer:
        intent = self.intents.get(form["payment_intent"])
        if intent is None:
            return _error(404, type="invalid_request_error", code="resource_missing", param="payment_intent")
        if any(refund["payment_intent"] == intent["id"] for refund in self.refunds.values()):
            return _error(400, type="invalid_request_error", code="charge_already_refunded")
        refund_id = f"re_{len(self.refunds) + 1}"
        self.refunds[refund_id] = {
            "id": refund_id,
            "object": "refund",
            "amount": int(form["amount"]),
            "charge": intent["latest_charge"],
            "created": int(self.now),
            "currency": intent["currency"],
            "metadata": {"key": form.get("metadata[key]", "")},
            "payment_intent": intent["id"],
            "reason": None,
            "status": "succeeded",
        }
        return Answer(200, json.dumps(self.refunds[refund_id]))

    def _read(self, seen: Seen) -> Answer:
        match seen.path.split("/")[2:]:
            case ["payment_intents", "search"]:
                wanted = re.fullmatch(r"metadata\['order_id'\]:'(.*)'", seen.query["query"])
                assert wanted, seen.query
                order_id = re.sub(r"\\(.)", r"\1", wanted[1])
                found = [each for each in self.intents.values() if each["metadata"].get("order_id") == order_id]
                return _list(found if self.indexed else [], "search_result", seen.path)
            case ["payment_intents"]:
                since = int(seen.query["created[gte]"])
                recent = [each for each in reversed(self.intents.values()) if each["created"] >= since]
                ids = [each["id"] for each in recent]
                first = ids.index(seen.query["starting_after"]) + 1 if "starting_after" in seen.query else 0
                page = recent[first : first + int(seen.query["limit"])]
                return _list(page, "list", seen.path, more=first + len(page) < len(recent))
            case ["payment_intents", intent_id] if intent_id in self.intents:
                return Answer(200, json.dumps(self.intents[intent_id]))
            case ["refunds"]:
                intent_id = seen.query["payment_intent"]
                return _list(
                    [each for each in self.refunds.values() if each["payment_intent"] == intent_id], "list", seen.path
                )
        return _error(404, type="invalid_request_error")


def _list(values: list[dict[str, Any]], kind: str, url: str, *, more: bool = False) -> Answer:
    return Answer(200, json.dumps({"object": kind, "url": url, "has_more": more, "data": values}))


def _error(status: int, headers: dict[str, str] | None = None, **error: Any) -> Answer:
    return Answer(
        status, json.dumps({"error": {"message": "who knows what about zoe@example.com", **error}}), headers or {}
    )
