"""Stripe: what is asked of it, what its answers mean, and that nobody is charged twice. The stub's rules are Stripe's
documented ones; Stripe's SDK sends it the same requests and reads the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from stripe._api_version import _ApiVersion

from orderflow.events import OrderCancelled
from orderflow.ports import Unavailable
from orderflow.processing import Done, Retry
from orderflow.providers.stripe import VERSION, StripeGateway
from orderflow.providers.web import BadCall
from orderflow_local.memory import MemorySecrets
from providers.conftest import choose
from providers.stripe_stub import StripeStub
from unit.support import Lab, enveloped, order_placed
from web_stub import WebStub

ORDER = "5d0f6a3e-6ac4-5c4e-a6cd-6a8f2cbbd0a5"
CHARGE: dict[str, Any] = {
    "key": f"{ORDER}.charge.1",
    "order_id": ORDER,
    "amount": 2_000,
    "currency": "EUR",
    "token": "pm_card_visa",
}


@pytest.fixture
def stub(lab: Lab) -> StripeStub:
    """Stripe, empty."""
    return StripeStub(now=lab.clock.now())


@pytest.fixture
def server(stub: StripeStub) -> Iterator[WebStub]:
    """Where it is."""
    with stub.start() as server:
        yield server


@pytest.fixture
def gateway(lab: Lab, stub: StripeStub, server: WebStub) -> StripeGateway:
    """Our gateway, configured as an operator does."""
    gateway = choose(lab, "gateway", stub.key, ORDERFLOW_GATEWAY="stripe", ORDERFLOW_GATEWAY_URL=server.url)
    assert isinstance(gateway, StripeGateway)
    return gateway


@pytest.fixture
def sdk(stub: StripeStub, server: WebStub) -> stripe.StripeClient:
    """Stripe's own client."""
    return stripe.StripeClient(stub.key, base_addresses={"api": server.url}, max_network_retries=0)


def charge(gateway: StripeGateway, **changes: Any) -> dict[str, Any]:
    """Charge the order."""
    return gateway.charge(**{**CHARGE, **changes})


def refund(gateway: StripeGateway, charge_id: str = "pi_1", key: str = f"{ORDER}.refund") -> dict[str, Any]:
    """Refund it."""
    return gateway.refund(key=key, charge_id=charge_id, amount=2_000, currency="EUR")


def test_the_sdk_asks_for_a_charge_in_the_same_words_and_reads_the_same_answer(
    gateway: StripeGateway, sdk: stripe.StripeClient, server: WebStub, stub: StripeStub
) -> None:
    ours = charge(gateway)
    stub.saved.clear()
    theirs = sdk.v1.payment_intents.create(
        {
            "amount": 2_000,
            "currency": "eur",
            "confirm": True,
            "error_on_requires_action": True,
            "metadata": {"order_id": ORDER},
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],  # type: ignore[typeddict-unknown-key]
        },
        {"idempotency_key": CHARGE["key"]},
    )

    first, second = server.seen
    assert ours == {"status": "charged", "charge_id": "pi_1"}
    assert (theirs.id, theirs.status) == ("pi_2", "succeeded")
    assert (first.method, first.path, first.form) == (second.method, second.path, second.form)
    for header in ("authorization", "idempotency-key", "stripe-version", "content-type"):
        assert first.headers[header] == second.headers[header]
    assert _ApiVersion.CURRENT == VERSION


def test_the_sdk_asks_for_a_refund_and_a_look_up_in_the_same_words(
    gateway: StripeGateway, sdk: stripe.StripeClient, server: WebStub, stub: StripeStub
) -> None:
    charge(gateway)
    refund(gateway)
    gateway.lookup(order_id=ORDER)
    ours = server.seen[1:]
    server.seen = []
    stub.saved.clear()
    stub.refunds.clear()

    sdk.v1.refunds.create(
        {"payment_intent": "pi_1", "amount": 2_000, "metadata": {"key": f"{ORDER}.refund"}},
        {"idempotency_key": f"{ORDER}.refund"},
    )
    found = sdk.v1.payment_intents.search({"query": f"metadata['order_id']:'{ORDER}'", "limit": 100})
    sdk.v1.payment_intents.retrieve(found.data[0].id)
    refunds = sdk.v1.refunds.list({"payment_intent": "pi_1", "limit": 100})

    assert [(each.method, each.path, each.query, each.form) for each in ours] == [
        (each.method, each.path, each.query, each.form) for each in server.seen
    ]
    assert [each.status for each in refunds] == ["succeeded"]


def test_the_stub_answers_in_fields_and_states_of_stripes_own_models(gateway: StripeGateway, stub: StripeStub) -> None:
    charge(gateway)
    charge(gateway, key="2", order_id="2", token="pm_card_chargeDeclined")
    refund(gateway)
    for model, values in ((stripe.PaymentIntent, stub.intents), (stripe.Refund, stub.refunds)):
        for value in values.values():
            assert set(value) <= set(model.__annotations__)


def test_the_sdk_reads_the_stubs_refusals_as_the_errors_that_they_are(
    sdk: stripe.StripeClient, stub: StripeStub
) -> None:
    def ask(method: str) -> None:
        sdk.v1.payment_intents.create(
            {
                "amount": 2_000,
                "currency": "eur",
                "metadata": {"order_id": "1"},
                "payment_method": method,
                "payment_method_types": ["card"],  # type: ignore[typeddict-unknown-key]
            }
        )

    with pytest.raises(stripe.CardError) as declined:
        ask("pm_card_visa_chargeDeclinedInsufficientFunds")
    assert declined.value.error is not None and declined.value.error.decline_code == "insufficient_funds"
    for trouble, error in (("429", stripe.RateLimitError), ("409", stripe.APIError), ("500", stripe.APIError)):
        stub.next = [trouble]
        with pytest.raises(error):
            ask("pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        ask("no method")
    assert (unknown.value.code, unknown.value.param) == ("resource_missing", "payment_method")
    stub.key = "another"
    with pytest.raises(stripe.AuthenticationError):
        ask("pm_card_visa")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"token": "pm_card_visa_chargeDeclinedInsufficientFunds"}, "card declined: insufficient_funds"),
        ({"token": "pm_card_visa_chargeDeclinedStolenCard"}, "card declined: generic_decline"),
        ({"token": "tok_made_up"}, "not accepted: resource_missing"),
        ({"amount": 49}, "not accepted: amount_too_small"),
    ],
)
def test_what_the_customer_can_mend_is_refused_for_good_and_names_no_secret(
    gateway: StripeGateway, changes: dict[str, Any], reason: str
) -> None:
    assert charge(gateway, **changes) == {"status": "refused", "reason": reason}


def test_currencies_that_stripe_counts_otherwise_are_charged_the_right_amount(
    gateway: StripeGateway, stub: StripeStub
) -> None:
    for number, (currency, amount) in enumerate([("JPY", 500), ("ISK", 500), ("UGX", 500), ("EUR", 500)]):
        charge(gateway, key=str(number), order_id=str(number), currency=currency, amount=amount)
    assert [each["amount"] for each in stub.intents.values()] == [500, 50_000, 50_000, 500]


@pytest.mark.parametrize("trouble", ["lost", "429", "409", "503", "garbage", "500"])
def test_trouble_is_no_refusal_and_asking_again_charges_once(
    gateway: StripeGateway, stub: StripeStub, lab: Lab, trouble: str
) -> None:
    stub.next = [trouble]
    with pytest.raises(Unavailable) as error:
        charge(gateway)
    assert stub.key not in str(error.value)
    assert "zoe" not in str(error.value)

    lab.clock.time += 60
    assert charge(gateway) == {"status": "charged", "charge_id": "pi_1"}
    assert len(stub.intents) == 1


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_too_late_is_asked_for_again_under_the_same_key(
    lab: Lab, stub: StripeStub, server: WebStub
) -> None:
    import threading

    held, answer = threading.Event(), stub.answer
    server.answer = lambda seen: type(answer(seen))(200, "{}", late=held)  # charged, and nobody hears of it
    gateway = choose(lab, "gateway", stub.key, ORDERFLOW_GATEWAY="stripe", ORDERFLOW_GATEWAY_URL=server.url)
    with pytest.raises(Unavailable, match=r"Stripe: .*Timeout"):
        charge(gateway)
    held.set()
    server.answer = answer
    assert charge(gateway)["charge_id"] == "pi_1"
    assert len(stub.intents) == 1


def test_nothing_is_sent_while_stripe_wants_to_be_left_alone(
    gateway: StripeGateway, stub: StripeStub, server: WebStub, lab: Lab
) -> None:
    stub.next = ["429"]
    for _ in range(3):
        with pytest.raises(Unavailable):
            charge(gateway)
    assert len(server.seen) == 1
    lab.clock.time += 7
    assert charge(gateway)["status"] == "charged"


def test_a_failure_that_stripe_repeats_is_looked_up_also_before_the_search_knows(
    gateway: StripeGateway, stub: StripeStub, lab: Lab
) -> None:
    stub.next = ["500"]
    stub.indexed = False
    for number in range(150):
        stub.intents[f"pi_other_{number}"] = {"id": "", "metadata": {}, "created": int(stub.now), "status": "succeeded"}
        stub.intents[f"pi_other_{number}"]["id"] = f"pi_other_{number}"
    with pytest.raises(Unavailable):
        charge(gateway)
    taken = list(stub.intents)[-1]
    for number in range(150, 300):
        stub.intents[f"pi_other_{number}"] = {**stub.intents["pi_other_1"], "id": f"pi_other_{number}"}
    assert charge(gateway) == {"status": "charged", "charge_id": taken}


def test_a_failure_that_stripe_repeats_and_that_took_nothing_is_neither_a_charge_nor_a_refusal(
    gateway: StripeGateway, stub: StripeStub
) -> None:
    stub.next = ["500"]
    with pytest.raises(Unavailable):
        charge(gateway)
    stub.intents.clear()
    with pytest.raises(Unavailable, match="knows of no payment"):
        charge(gateway)


def test_a_release_that_asks_in_other_words_learns_what_became_of_the_old_request(
    gateway: StripeGateway, stub: StripeStub
) -> None:
    stub.next = ["lost"]
    with pytest.raises(Unavailable):
        charge(gateway)
    form, answer = stub.saved[CHARGE["key"]]
    stub.saved[CHARGE["key"]] = ({**form, "statement_descriptor": "old"}, answer)
    assert charge(gateway) == {"status": "charged", "charge_id": "pi_1"}


def test_a_call_that_is_still_under_way_is_not_judged_by_what_is_half_done(
    gateway: StripeGateway, stub: StripeStub
) -> None:
    charge(gateway)
    stub.intents["pi_1"]["status"] = "requires_confirmation"
    stub.next = ["409"]
    with pytest.raises(Unavailable, match="another call of the same key"):
        charge(gateway)


def test_a_payment_that_is_being_processed_is_waited_for(gateway: StripeGateway, stub: StripeStub) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable, match="processing"):
            charge(gateway, token="pm_slow")
    with pytest.raises(Unavailable, match="processing"):
        gateway.lookup(order_id=ORDER)
    stub.intents["pi_1"]["status"] = "succeeded"  # The key still answers that it is being processed.
    assert charge(gateway, token="pm_slow") == {"status": "charged", "charge_id": "pi_1"}


def test_a_refund_is_made_once_whatever_the_key(gateway: StripeGateway, stub: StripeStub) -> None:
    charge(gateway)
    stub.next = ["lost"]
    with pytest.raises(Unavailable):
        refund(gateway)
    assert refund(gateway) == {"status": "refunded", "refund_id": "re_1"}
    stub.forget_keys()
    assert refund(gateway, key="another") == {"status": "refunded", "refund_id": "re_1"}
    assert len(stub.refunds) == 1


def test_a_refund_that_stripe_refuses_says_why(gateway: StripeGateway) -> None:
    assert refund(gateway, charge_id="pi_9") == {"status": "refused", "reason": "resource_missing"}


def test_a_look_up_tells_charged_refunded_refused_and_nothing_apart(gateway: StripeGateway, stub: StripeStub) -> None:
    assert gateway.lookup(order_id=ORDER) == {"status": "none"}
    charge(gateway)
    charge(gateway, key="2", order_id="it's", token="pm_card_chargeDeclined")
    assert gateway.lookup(order_id=ORDER) == {"status": "charged", "charge_id": "pi_1"}
    assert gateway.lookup(order_id="it's") == {"status": "refused", "reason": "not completed: requires_payment_method"}
    refund(gateway)
    assert gateway.lookup(order_id=ORDER) == {"status": "refunded", "refund_id": "re_1"}


def test_a_new_secret_is_found_when_the_old_one_is_refused(gateway: StripeGateway, stub: StripeStub, lab: Lab) -> None:
    charge(gateway)
    stub.key = "sk_test_2"
    with pytest.raises(Unavailable, match="refuses our credentials: look at the secret gateway"):
        charge(gateway)
    assert isinstance(lab.ports.secrets, MemorySecrets)
    lab.ports.secrets.values["gateway"] = "sk_test_2"
    lab.clock.time += 60
    assert charge(gateway)["status"] == "charged"


def test_a_request_of_ours_that_is_wrong_fails_without_touching_the_breaker(
    gateway: StripeGateway, stub: StripeStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = gateway._post
    monkeypatch.setattr(gateway, "_post", lambda path, fields, key: post(path, {**fields, "description": "x"}, key))
    with pytest.raises(BadCall, match="parameter_unknown description"):
        charge(gateway)
    assert not issubclass(BadCall, Unavailable)


class Saga:
    """The payment service in the laboratory, with Stripe as its gateway."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.placed = enveloped(order_placed(ORDER, payment_token="pm_card_visa"), "e-1")
        cancelled = OrderCancelled(order_id=ORDER, customer_id="zoe", reason="customer: x", total=2_000, currency="EUR")
        self.cancelled = enveloped(cancelled, "e-2")

    def crash_when_it_is_recorded(self) -> None:
        """The next write after a call never comes to be."""
        gateway = self.lab.ports.dependencies["gateway"]

        class Crash(Exception):
            """The process is gone."""

        def gone(method: str, collection: str, key: str) -> None:
            if method == "put" and collection == "payments" and called:
                called.clear()
                raise Crash

        called: list[bool] = []
        for method in ("charge", "refund"):
            inner = getattr(gateway, method)

            def call(inner: Any = inner, **arguments: Any) -> Any:
                answer = inner(**arguments)
                called.append(True)
                return answer

            setattr(gateway, method, call)
        self.lab.store.before = gone


def test_a_crash_between_stripes_answer_and_our_record_charges_and_refunds_once(
    lab: Lab, gateway: StripeGateway, stub: StripeStub
) -> None:
    saga = Saga(lab)
    for message in (saga.placed, saga.cancelled):
        saga.crash_when_it_is_recorded()
        assert isinstance(lab.deliver("payment", message), Retry)
        lab.store.before = None
        assert isinstance(lab.deliver("payment", message), Done)
    assert lab.state("payment", ORDER).status == "refunded"
    assert (len(stub.intents), len(stub.refunds)) == (1, 1)


def test_a_crash_that_is_healed_after_the_keys_life_charges_and_refunds_once(
    lab: Lab, gateway: StripeGateway, stub: StripeStub
) -> None:
    saga = Saga(lab)
    for message in (saga.placed, saga.cancelled):
        saga.crash_when_it_is_recorded()
        assert isinstance(lab.deliver("payment", message), Retry)
        lab.store.before = None
        lab.clock.time += gateway.key_life_seconds + 1
        stub.forget_keys()
        assert isinstance(lab.deliver("payment", message), Done)
    assert (lab.state("payment", ORDER).charge_id, lab.state("payment", ORDER).refund_id) == ("pi_1", "re_1")
    assert (len(stub.intents), len(stub.refunds)) == (1, 1)


def test_credentials_that_are_refused_open_the_breaker_and_refuse_no_order(
    lab: Lab, gateway: StripeGateway, stub: StripeStub, server: WebStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.key = "sk_test_2"
    for number in range(6):
        message = enveloped(order_placed(f"o-{number}", payment_token="pm_card_visa"), f"e-{number}")
        assert isinstance(lab.deliver("payment", message), Retry)
    assert len(server.seen) == lab.settings.breaker_failures
    said = capsys.readouterr().out
    assert "refuses our credentials: look at the secret gateway" in said
    assert "sk_test" not in said
    assert not lab.letters("payment")
    assert lab.state("payment", "o-0").status == "charging"
