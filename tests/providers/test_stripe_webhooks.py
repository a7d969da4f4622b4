"""What Stripe tells by itself: who is believed, what is noted of it, and that it is noted once. Stripe's SDK signs the
requests, and says which of them are good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from orderflow.app import App, Request
from orderflow.providers.stripe_webhook import fault
from orderflow.services.order import SERVICE
from orderflow.settings import BadSetting, Settings
from orderflow.stuck import stuck
from orderflow_local.memory import MemorySecrets
from providers.conftest import choose
from providers.stripe_stub import StripeStub
from unit.support import BEGIN, Lab
from unit.web import Answer, read
from web_stub import WebStub

SECRET = "whsec_1"
SETTINGS = Settings(
    issuer="https://id.example.com/",
    audience="orders",
    jwks_url="https://id.example.com/jwks.json",
    log_level="WARNING",
)


@dataclass
class Hook:
    """The API of a process that hears Stripe, and Stripe, which tells it things."""

    lab: Lab
    stub: StripeStub
    app: App
    told: list[bytes] = field(default_factory=list)

    def event(self, kind: str, **more: Any) -> bytes:
        """An event about the payment ``pi_1``, in the shape of docs.stripe.com/api/events/object."""
        subject = {"object": "refund", "id": "re_1", "amount": 2_000, "payment_intent": "pi_1", "metadata": {}, **more}
        event = {"id": f"evt_{len(self.told)}", "object": "event", "type": kind, "data": {"object": subject}}
        self.told.append(json.dumps(event).encode())
        return self.told[-1]

    def send(self, body: bytes, *, secret: str = SECRET, age: float = 0, method: str = "POST") -> Answer:
        """Stripe sends an event, signed by its SDK."""
        signature = stripe.WebhookSignature.generate_signature_header(
            body.decode("utf-8", "replace"), secret, int(self.lab.clock.now() - age)
        )
        return self.put(body, {"stripe-signature": signature}, method)

    def put(self, body: bytes, headers: dict[str, str], method: str = "POST") -> Answer:
        """Somebody sends something."""
        request = Request(method, "/webhooks/stripe", {}, headers, body)
        return read(request, self.app.respond(request))

    @property
    def order(self) -> Any:
        """The order's state."""
        return self.lab.state("order")

    def notes(self) -> list[str | None]:
        """The order's history."""
        return [change.note for change in self.order.history]


@pytest.fixture
def stub(lab: Lab) -> StripeStub:
    """Stripe, with the payment and the refund of an order that was cancelled."""
    return StripeStub(now=lab.clock.now())


@pytest.fixture
def server(stub: StripeStub) -> Iterator[WebStub]:
    """Where it is."""
    with stub.start() as server:
        yield server


@pytest.fixture
def hook(lab: Lab, stub: StripeStub, server: WebStub, monkeypatch: pytest.MonkeyPatch) -> Hook:
    """An order that was paid with Stripe, and the API."""
    choose(lab, "gateway", stub.key, ORDERFLOW_GATEWAY="stripe", ORDERFLOW_GATEWAY_URL=server.url)
    choose(lab, "webhook", SECRET, ORDERFLOW_WEBHOOK="stripe", ORDERFLOW_WEBHOOK_URL=server.url)
    lab.stock("CUP", 10)
    lab.place(payment_token="pm_card_visa")
    return Hook(lab, stub, App(lab.ports, SETTINGS))


@pytest.fixture
def refunded(hook: Hook) -> Hook:
    """The order is cancelled, and Stripe has accepted the refund."""
    lab = hook.lab
    lab.simulate("carrier", "refuse")
    lab.run_to_rest()
    assert (hook.order.status, hook.order.closed, len(hook.stub.refunds)) == ("cancelled", True, 1)
    return hook


# Who is believed


def accepted_by_the_sdk(body: bytes, header: str, secret: str) -> bool:
    try:
        stripe.Webhook.construct_event(body, header, secret)
    except (stripe.SignatureVerificationError, ValueError):
        return False
    return True


def signed(body: str, secret: str = SECRET, at: float = BEGIN) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(body, secret, int(at))
    return header


BODY = '{"object": "event", "type": "refund.failed", "name": "Zoë"}'
V1 = signed(BODY).partition(",")[2]


@pytest.mark.parametrize(
    ("header", "good"),
    [
        (signed(BODY), True),
        (signed(BODY, at=BEGIN - 290), True),
        (signed(BODY, at=BEGIN - 310), False),
        (signed(BODY, "whsec_2"), False),
        (signed(BODY + " "), False),
        (f"{signed(BODY, 'whsec_2')},{V1}", True),
        (f"{signed(BODY)},v1=00,v0=11", True),
        (signed(BODY).replace("v1=", "v0="), False),
        (signed(BODY).replace("t=", "t=1"), False),
        (V1, False),
        (signed(BODY).partition(",")[0], False),
        ("t=,v1=", False),
        ("t=soon,v1=00", False),
        ("t=²,v1=é", False),
        ("=,=,t", False),
        ("", False),
    ],
)
def test_who_is_believed_is_who_stripes_sdk_believes(header: str, good: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stripe._webhook.time", SimpleNamespace(time=lambda: BEGIN))
    assert (fault(header, BODY.encode(), SECRET, BEGIN) is None) is good
    assert accepted_by_the_sdk(BODY.encode(), header, SECRET) is good


def test_a_signature_of_the_future_is_refused_which_the_sdk_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stripe._webhook.time", SimpleNamespace(time=lambda: BEGIN))
    late = signed(BODY, at=BEGIN + 310)
    assert fault(late, BODY.encode(), SECRET, BEGIN) == "the signature is too old, or of the future"
    assert fault(late, BODY.encode(), SECRET, BEGIN + 20) is None
    assert accepted_by_the_sdk(BODY.encode(), late, SECRET)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {}),
        (b"{}", {"stripe-signature": "t=1,v1=00"}),
        (b"{}", {"authorization": "Bearer of good news"}),
    ],
)
def test_what_stripe_has_not_signed_changes_nothing_and_is_told_so(
    refunded: Hook, body: bytes, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    before, writes = refunded.order, refunded.lab.store.writes()
    answer = refunded.put(body, headers)
    assert (answer.status, answer.body["title"]) == (400, "bad webhook")
    assert (refunded.order, refunded.lab.store.writes()) == (before, writes)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"zoe@example.com",
        b"\xff{",
        b"[]",
        b'{"type": "refund.failed"}',
        b'{"type": "refund.failed", "data": {"object": {"payment_intent": "pi_1"}}}',
        b'{"type": "refund.failed", "data": {"object": {"id": "../../x", "payment_intent": "pi_1"}}}',
        b'{"type": "refund.failed", "data": {"object": {"id": "re_1", "payment_intent": "pi_1/../../x"}}}',
    ],
)
def test_a_body_that_is_no_event_is_refused_and_never_logged(
    hook: Hook, body: bytes, server: WebStub, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = hook.send(body)
    assert answer.status == 400
    assert hook.notes() == [None]
    assert server.seen == []
    assert capsys.readouterr().out == ""
    assert "zoe" not in json.dumps(answer.body)


def test_a_body_that_is_too_large_is_refused_before_it_is_looked_at(hook: Hook) -> None:
    assert hook.send(b" " * (SETTINGS.max_body + 1)).status == 413


def test_a_new_secret_is_read_when_a_signature_is_refused(refunded: Hook) -> None:
    lab = refunded.lab
    assert isinstance(lab.ports.secrets, MemorySecrets)
    assert refunded.send(refunded.event("balance.available")).status == 200
    lab.ports.secrets.values["webhook"] = "whsec_2"
    assert refunded.send(refunded.event("refund.failed"), secret="whsec_2").status == 400, "read a moment ago"
    lab.clock.time += 31
    assert refunded.send(refunded.told[-1], secret="whsec_2").status == 200
    assert refunded.send(refunded.told[-1]).status == 400, "the old one is no good any more"


def test_nobody_is_believed_until_the_secret_is_put_in(refunded: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    """Azure's secrets are made with a stand-in that can be read in this repository."""
    lab = refunded.lab
    assert isinstance(lab.ports.secrets, MemorySecrets)
    lab.ports.secrets.values["webhook"] = "not set yet"
    body = refunded.event("refund.failed")
    assert refunded.send(body, secret="not set yet").status == 503
    assert "the secret webhook is no signing secret" in capsys.readouterr().out
    lab.ports.secrets.values["webhook"] = SECRET
    lab.clock.time += 31
    assert refunded.send(body).status == 200


def test_where_stripe_is_not_heard_there_is_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(lab, StripeStub(), App(lab.ports, SETTINGS))
    assert hook.send(b"{}").status == 404
    assert "webhook" not in lab.ports.dependencies


def test_another_method_is_told_which_one_it_is(hook: Hook) -> None:
    answer = hook.send(b"{}", method="PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


def test_a_webhook_of_somebody_else_is_a_bad_setting(lab: Lab) -> None:
    with pytest.raises(BadSetting, match="ORDERFLOW_WEBHOOK must be one of simulated, stripe"):
        choose(lab, "webhook", None, ORDERFLOW_WEBHOOK="paypal")


# What is noted


def test_a_failed_refund_opens_the_order_again_and_tells_the_operator(
    refunded: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = refunded.lab
    answer = refunded.send(refunded.event("refund.failed", status="failed", failure_reason="lost_or_stolen_card"))

    assert (answer.status, answer.body) == (200, {"status": "noted"})
    assert refunded.notes()[-1] == "refund-failed: re_1"
    assert (refunded.order.status, refunded.order.closed) == ("cancelled", False)
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["severity"], line["message"]) == ("ERROR", "refund-failed")
    assert (line["order_id"], line["reference"], line["reason"]) == ("o-1", "re_1", "lost_or_stolen_card")
    lab.clock.time += lab.settings.order_deadline
    [one] = stuck(lab.store, lab.settings, lab.clock.now())
    assert [(each.service, each.kinds, each.status) for each in one.awaits] == [
        ("payment", ("orderflow orders settle",), "refunded")
    ]


def test_the_reason_is_not_among_what_the_customer_reads(refunded: Hook) -> None:
    refunded.send(refunded.event("refund.failed", failure_reason="lost_or_stolen_card"))
    assert "stolen" not in json.dumps(refunded.lab.document("orders", "o-1"))


def test_a_dispute_is_noted_and_does_not_change_what_the_order_is(
    hook: Hook, capsys: pytest.CaptureFixture[str]
) -> None:
    hook.lab.run_to_rest()
    assert (hook.order.status, hook.order.closed) == ("shipped", True)

    answer = hook.send(hook.event("charge.dispute.created", object="dispute", id="du_1", reason="fraudulent"))

    assert answer.body == {"status": "noted"}
    assert hook.notes()[-1] == "dispute-opened: du_1"
    assert (hook.order.status, hook.order.closed) == ("shipped", True)
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["severity"], line["message"], line["reason"]) == ("WARNING", "dispute-opened", "fraudulent")


def test_a_refund_of_a_shipped_order_that_fails_is_noted_and_owed_to_nobody(hook: Hook) -> None:
    """It was made in Stripe's dashboard: the workflow promised nothing."""
    hook.lab.run_to_rest()
    hook.send(hook.event("refund.failed"))
    assert (hook.notes()[-1], hook.order.status, hook.order.closed) == ("refund-failed: re_1", "shipped", True)


def test_what_is_told_again_has_one_effect(refunded: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    bodies = [refunded.event("refund.failed"), refunded.event("refund.failed")]
    answers = [refunded.send(body).body for body in (*bodies, bodies[0])]
    assert answers == [{"status": "noted"}] * 3
    assert refunded.notes().count("refund-failed: re_1") == 1
    assert len(capsys.readouterr().out.splitlines()) == 1
    refunded.send(refunded.event("refund.failed", id="re_2"))
    assert refunded.notes()[-1] == "refund-failed: re_2", "another refund is another matter"


def test_a_failure_that_is_told_before_the_refund_was_heard_of_is_not_forgotten(refunded: Hook) -> None:
    lab = refunded.lab
    lab.store.overwrite("orders", "o-1", refunded=False, closed=False)
    refunded.send(refunded.event("refund.failed"))
    lab.store.amend("orders", "o-1", lambda document: document["absorbed"].clear())
    lab.broker.queues["order"].clear()
    for each in lab.published("PaymentRefunded")[:1]:
        lab.deliver("order", each)
    assert (refunded.order.refunded, refunded.order.closed) == (True, False)


def test_a_lost_race_is_run_again_and_a_crash_before_the_commit_loses_nothing(refunded: Hook) -> None:
    lab = refunded.lab
    body = refunded.event("refund.failed")

    def move_on(method: str, collection: str, _key: str) -> None:
        if (method, collection) == ("put", "orders"):
            lab.store.before = None
            lab.store.overwrite("orders", "o-1", sweeps=7)

    lab.store.before = move_on
    assert refunded.send(body).status == 200
    assert (refunded.order.sweeps, refunded.order.closed) == (7, False)


def test_the_sweeper_leaves_the_order_open(refunded: Hook) -> None:
    lab = refunded.lab
    refunded.send(refunded.event("refund.failed"))
    lab.clock.time += lab.settings.order_deadline
    assert lab.sweep().republished == 1
    lab.run_to_rest()
    assert (refunded.order.status, refunded.order.closed) == ("cancelled", False)
    assert len(refunded.stub.refunds) == 1


# What is none of ours


@pytest.mark.parametrize("kind", ["charge.succeeded", "refund.updated", "customer.created"])
def test_other_types_are_answered_without_a_look(hook: Hook, kind: str, server: WebStub) -> None:
    answer = hook.send(hook.event(kind, id=None))
    assert (answer.status, answer.body) == (200, {"status": "ignored"})
    assert server.seen == []


def test_a_payment_that_is_of_no_order_is_ignored(hook: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    hook.lab.run_to_rest()
    hook.stub.intents["pi_2"] = {**hook.stub.intents["pi_1"], "id": "pi_2", "metadata": {}}
    before = hook.order
    for intent in (None, "pi_2", "pi_unknown"):
        assert hook.send(hook.event("charge.dispute.created", payment_intent=intent)).body == {"status": "ignored"}
    assert hook.order == before
    assert capsys.readouterr().out == ""


def test_an_order_that_is_not_here_is_told_to_the_operator(hook: Hook, capsys: pytest.CaptureFixture[str]) -> None:
    hook.lab.run_to_rest()
    hook.stub.intents["pi_1"]["metadata"]["order_id"] = "o-2"
    assert hook.send(hook.event("charge.dispute.created", id="du_1")).body == {"status": "ignored"}
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["severity"], line["message"]) == ("WARNING", "dispute-opened, of an order that is not here")
    assert hook.lab.document(SERVICE.collection, "o-2") is None


@pytest.mark.parametrize("trouble", ["503", "429", "lost"])
def test_what_cannot_be_looked_up_now_is_to_be_told_again(refunded: Hook, trouble: str) -> None:
    refunded.stub.next = [trouble]
    body = refunded.event("refund.failed")
    assert refunded.send(body).status == 503
    assert None in refunded.notes() and "refund-failed: re_1" not in refunded.notes()
    refunded.lab.clock.time += 61
    assert refunded.send(body).status == 200
