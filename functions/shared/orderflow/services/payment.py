"""Payment: charges an order once, and gives the money back once if the order is cancelled.

The intent to charge is committed before the gateway is called, always with the same idempotency key. A cancellation
that finds a charge under way settles it: it calls again with the same key to learn the outcome, and refunds what was
taken. An intent, to charge or to refund, that is nearly as old as the gateway's memory of keys is looked up by order
before anything is called."""

from __future__ import annotations

from typing import Literal

from orderflow.events import (
    Currency,
    Event,
    Id,
    Minor,
    OrderCancelled,
    OrderPlaced,
    PaymentCompleted,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
)
from orderflow.keys import safe_key
from orderflow.service import (
    Answer,
    Call,
    Commit,
    Context,
    Decision,
    Fail,
    Intend,
    Outcome,
    Service,
    Unanswered,
)
from orderflow.state import State

GATEWAY = "gateway"

Status = Literal["charging", "charged", "refused", "settling", "refunded", "void"]


class Payment(State):
    """What payment did for one order. ``tries`` numbers the charge's idempotency keys, ``refund_tries`` the refund's;
    ``intent_at`` is when the call that is under way was first intended, in seconds since the epoch; ``announced`` is
    False where the order was cancelled before anybody had heard of the charge."""

    status: Status
    order_id: Id
    customer_id: Id
    amount: Minor = 0
    currency: Currency = "XXX"
    token: str = ""
    tries: int = 1
    refund_tries: int = 1
    intent_at: float = 0.0
    charge_id: str = ""
    refund_id: str = ""
    reason: str = ""
    announced: bool = True


def key(event: Event, _time: str) -> str:
    """Payments are kept by order."""
    return safe_key(event.order_id)  # type: ignore[attr-defined]  # every event that payment hears has it


def decide(payment: Payment | None, event: Event, context: Context) -> Decision[Payment]:
    """Charge on OrderPlaced, settle on OrderCancelled."""
    match event:
        case OrderPlaced():
            return _place(payment, event, context)
        case OrderCancelled():
            return _cancel(payment, event, context)
    return Fail(f"payment does not hear {event.kind()}")


def resume(payment: Payment, event: Event, outcome: Outcome, context: Context) -> Decision[Payment]:
    """Go on after the gateway answered, or did not."""
    match outcome:
        case Unanswered():
            return Fail(outcome.error)
        case Answer() if outcome.call.method == "refund":
            return _refunded(payment, outcome, context)
        case Answer() if outcome.call.method == "lookup" and outcome.value["status"] == "none":
            return _nothing_found(payment, context)
        case Answer() if payment.status == "charging":
            return _charged(payment, outcome)
        case Answer() if payment.status == "settling":
            return _settle_outcome(payment, outcome, context)
    return Fail(f"{payment.status} cannot go on after {type(outcome).__name__}")


def _place(payment: Payment | None, event: OrderPlaced, context: Context) -> Decision[Payment]:
    if payment is None:
        charging = Payment(
            status="charging",
            order_id=event.order_id,
            customer_id=event.customer_id,
            amount=event.total,
            currency=event.currency,
            token=event.payment_token,
            intent_at=context.now,
        )
        return Intend(charging, _charge(charging))
    if payment.status == "charging":
        return Intend(payment, _learn(payment, context))
    return Commit(payment)  # Overtaken by its own cancellation, or done: a late OrderPlaced changes nothing.


def _cancel(payment: Payment | None, event: OrderCancelled, context: Context) -> Decision[Payment]:
    if payment is None:  # The tombstone that a late OrderPlaced must find.
        tombstone = Payment(status="void", order_id=event.order_id, customer_id=event.customer_id)
        return Commit(tombstone, (PaymentVoided(order_id=event.order_id),))
    match payment.status:
        case "refused" | "void":
            return Commit(payment, (PaymentVoided(order_id=payment.order_id),))
        case "refunded":
            return Commit(payment, (_refund_event(payment),))
        case _:
            update = {"status": "settling"} | ({"intent_at": context.now} if payment.status == "charged" else {})
            settling = payment.model_copy(update=update)
            return Intend(settling, _learn(settling, context))


def _charged(payment: Payment, answer: Answer) -> Decision[Payment]:
    if answer.value["status"] == "charged":
        charged = payment.model_copy(update={"status": "charged", "charge_id": answer.value["charge_id"]})
        event = PaymentCompleted(
            order_id=payment.order_id,
            customer_id=payment.customer_id,
            charge_id=charged.charge_id,
            amount=payment.amount,
            currency=payment.currency,
        )
        return Commit(charged, (event,))
    reason = str(answer.value["reason"])[:300]
    refused = payment.model_copy(update={"status": "refused", "reason": reason})
    return Commit(refused, (PaymentFailed(order_id=payment.order_id, customer_id=payment.customer_id, reason=reason),))


def _settle_outcome(payment: Payment, answer: Answer, context: Context) -> Decision[Payment]:
    match answer.value["status"]:
        case "charged":
            taken = {"charge_id": answer.value["charge_id"], "intent_at": context.now}
            if not payment.charge_id:
                taken["announced"] = False
            settling = payment.model_copy(update=taken)
            return Intend(settling, _refund(settling))
        case "refunded":
            return _refunded(payment, answer, context)
    return _void(payment)


def _nothing_found(payment: Payment, context: Context) -> Decision[Payment]:
    """An old intent that never reached the gateway: charge under a new key, or let it rest if the order is
    cancelled."""
    if payment.status == "settling":
        return _void(payment)
    anew = payment.model_copy(update={"tries": payment.tries + 1, "intent_at": context.now})
    return Intend(anew, _charge(anew))


def _refunded(payment: Payment, answer: Answer, context: Context) -> Decision[Payment]:
    if answer.value["status"] != "refunded":
        reason = f"the gateway does not refund: {answer.value.get('reason', answer.value['status'])}"
        # A key gives its first answer for ever: after a refusal, only another one can have another answer.
        refused = answer.value["status"] == "refused"
        anew = payment.model_copy(update={"refund_tries": payment.refund_tries + 1, "intent_at": context.now})
        return Fail(reason, anew if refused else None)
    refunded = payment.model_copy(update={"status": "refunded", "refund_id": answer.value["refund_id"]})
    return Commit(refunded, (_refund_event(refunded),))


def _void(payment: Payment) -> Decision[Payment]:
    return Commit(payment.model_copy(update={"status": "void"}), (PaymentVoided(order_id=payment.order_id),))


def _refund_event(payment: Payment) -> PaymentRefunded:
    return PaymentRefunded(
        order_id=payment.order_id,
        customer_id=payment.customer_id,
        refund_id=payment.refund_id,
        amount=payment.amount,
        currency=payment.currency,
        announced=payment.announced,
    )


def _learn(payment: Payment, context: Context) -> Call:
    """How to learn what became of a charge or a refund: the same call again while the gateway surely remembers its
    key."""
    age = context.now - payment.intent_at
    if age > context.settings.gateway_key_life - context.settings.gateway_key_margin:
        return Call(GATEWAY, "lookup", {"order_id": payment.order_id})
    return _refund(payment) if payment.charge_id else _charge(payment)


def _charge(payment: Payment) -> Call:
    return Call(
        GATEWAY,
        "charge",
        {
            "key": f"{payment.order_id}.charge.{payment.tries}",
            "order_id": payment.order_id,
            "amount": payment.amount,
            "currency": payment.currency,
            "token": payment.token,
        },
    )


def _refund(payment: Payment) -> Call:
    return Call(
        GATEWAY,
        "refund",
        {
            "key": f"{payment.order_id}.refund{f'.{payment.refund_tries}' if payment.refund_tries > 1 else ''}",
            "charge_id": payment.charge_id,
            "amount": payment.amount,
            "currency": payment.currency,
        },
    )


SERVICE = Service(
    name="payment",
    hears=(OrderPlaced, OrderCancelled),
    emits=(PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentVoided),
    collection="payments",
    state=Payment,
    key=key,
    unread=(OrderPlaced,),
    decide=decide,
    resume=resume,
    uses=(GATEWAY,),
)
