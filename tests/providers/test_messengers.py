"""E-mail, SMS and push: every provider sends what it is given, tells a wrong recipient from its own trouble, and says
honestly what a crash sends twice. Each SDK sends the same request as we do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import firebase_admin
import google.oauth2.credentials
import pytest
from azure.communication.email import EmailClient
from azure.core.credentials import AzureKeyCredential
from firebase_admin import credentials, messaging
from google.auth.transport.requests import Request
from google.oauth2 import _client, service_account
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Content, CustomArg, From, Mail, Personalization, Subject
from sendgrid.helpers.mail import To as Recipient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client as TwilioClient

from orderflow.envelope import derived_id
from orderflow.events import NotificationRequested
from orderflow.ports import Unavailable
from orderflow.processing import Done, Retry
from orderflow.providers import fcm
from orderflow.providers.web import BadCall
from providers.conftest import choose
from providers.messenger_stubs import (
    NOBODY,
    STUBS,
    TO,
    AzureStub,
    FirebaseStub,
    MessengerStub,
    SendGridStub,
    TwilioStub,
)
from unit.support import Lab, enveloped
from web_stub import WebStub

KEY = "7f1f3c0a-5a3b-5c5e-8d5e-0a1b2c3d4e5f"
TEXT = {"key": KEY, "subject": "Your order is on its way", "text": "Hello Zoë, your order was shipped."}


class Bench:
    """One provider with its stub, in the laboratory."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.stub: MessengerStub = STUBS[name]()
        self.server = WebStub(self.stub.answer)
        self.channel = self.stub.channel
        environ = {f"ORDERFLOW_{self.channel.upper()}": name, **self.stub.environ(self.server.url)}
        self.messenger = choose(lab, self.channel, self.stub.secret, **environ)

    def send(self, to: str | None = None, key: str = KEY) -> dict[str, Any]:
        """Send a message."""
        answer: dict[str, Any] = self.messenger.send(**{**TEXT, "key": key}, to=to or TO[self.channel])
        return answer


@pytest.fixture(params=STUBS)
def bench(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Bench]:
    """Each provider."""
    bench = Bench(lab, request.param)
    yield bench
    bench.server.stop()


@pytest.fixture
def only(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Bench]:
    """One provider, that a test names."""
    bench = Bench(lab, request.param)
    yield bench
    bench.server.stop()


def test_a_message_is_sent_and_has_the_providers_id(bench: Bench) -> None:
    assert bench.send()["status"] == "sent"
    assert bench.send(key=derived_id("another"))["message_id"]
    assert len(bench.stub.sent) == 2
    assert "Zoë" in str(bench.stub.sent[0])


def test_a_recipient_who_cannot_be_reached_is_undeliverable_and_not_named(bench: Bench) -> None:
    answer = bench.send(NOBODY[bench.channel])
    if bench.name == "acs":  # It says so only when it is asked again.
        answer = bench.send(NOBODY[bench.channel])
    assert answer["status"] == "refused"
    assert NOBODY[bench.channel] not in answer["reason"]


@pytest.mark.parametrize("trouble", ["lost", "429", "500", "503", "401"])
def test_trouble_of_the_provider_is_not_the_customers(bench: Bench, trouble: str) -> None:
    bench.stub.next = [trouble]
    with pytest.raises(Unavailable) as error:
        bench.send()
    assert bench.stub.secret not in str(error.value)
    bench.lab.clock.time += 5
    assert bench.send()["status"] == "sent"


def test_an_answer_that_makes_no_sense_is_no_success(bench: Bench) -> None:
    bench.stub.next = ["404", "garbage"] if bench.name == "acs" else ["garbage"]
    with pytest.raises((Unavailable, BadCall)):
        bench.send()


def test_what_the_provider_does_not_permit_is_for_an_operator(bench: Bench) -> None:
    bench.stub.next = ["404", "403"] if bench.name == "acs" else ["403"]
    with pytest.raises(Unavailable):
        bench.send()


def test_a_request_that_is_wrong_for_everybody_is_a_failed_attempt_not_a_refusal(bench: Bench) -> None:
    bench.stub.next = ["404", "400"] if bench.name == "acs" else ["400"]
    with pytest.raises(BadCall):
        bench.send()


def notification(channel: str) -> Any:
    """What the channel's service hears."""
    event = NotificationRequested(
        notification_id=KEY,
        order_id="o-1",
        customer_id="zoe",
        channel=channel,
        template="shipped",
        values={"order": "o-1", "tracking": "T1"},
    )
    return enveloped(event, "n-1")


def test_a_crash_before_the_record_sends_twice_unless_the_provider_can_tell(bench: Bench) -> None:
    """Azure is asked whether it has the message; the others are documented to send it again."""
    lab, crashed = bench.lab, itertools.count()

    def crash(method: str, collection: str, key: str) -> None:
        if method == "put" and collection == bench.channel and bench.stub.sent and next(crashed) == 0:
            raise RuntimeError("the process is gone")

    lab.store.before = crash
    assert isinstance(lab.deliver(bench.channel, notification(bench.channel)), Retry)
    lab.clock.time += lab.settings.send_lease + 1
    assert isinstance(lab.deliver(bench.channel, notification(bench.channel)), Done)

    assert len(bench.stub.sent) == (1 if bench.name == "acs" else 2)
    assert lab.state(bench.channel, KEY).status == "sent"
    assert bench.stub.sent[0] == bench.stub.sent[-1]


@pytest.mark.parametrize("only", ["fcm"], indirect=True)
def test_a_device_shows_a_push_that_was_sent_twice_once(only: Bench) -> None:
    only.send()
    only.send()
    assert {message["android"]["notification"]["tag"] for message in only.stub.sent} == {KEY}
    assert {message["apns"]["headers"]["apns-collapse-id"] for message in only.stub.sent} == {KEY}


@pytest.mark.parametrize("only", ["sendgrid"], indirect=True)
def test_sendgrids_sdk_sends_the_same_request(only: Bench) -> None:
    ours = only.send()
    mail = Mail(from_email=From("shop@example.com"), subject=Subject(TEXT["subject"]))
    personalization = Personalization()
    personalization.add_to(Recipient(TO["email"]))
    personalization.add_custom_arg(CustomArg("key", KEY))
    mail.add_personalization(personalization)
    mail.add_content(Content("text/plain", TEXT["text"]))
    answer = SendGridAPIClient(SendGridStub.secret, host=only.server.url).send(mail)

    first, second = only.server.seen
    assert (first.method, first.path, first.json) == (second.method, second.path, second.json)
    assert first.headers["authorization"] == second.headers["authorization"]
    assert (answer.status_code, answer.headers["x-message-id"]) == (202, "sg-2")
    assert ours == {"status": "sent", "message_id": "sg-1"}


@pytest.mark.parametrize("only", ["acs"], indirect=True)
def test_azures_sdk_sends_the_same_request_and_follows_the_same_operation(only: Bench) -> None:
    assert isinstance(only.stub, AzureStub)
    ours = only.send()
    message = {
        "senderAddress": "shop@example.com",
        "recipients": {"to": [{"address": TO["email"]}]},
        "content": {"subject": TEXT["subject"], "plainText": TEXT["text"]},
    }
    client = EmailClient(only.server.url, AzureKeyCredential(AzureStub.secret))
    only.stub.operations.clear()
    theirs = client.begin_send(message, operation_id=ours["message_id"], polling_interval=0.01).result()

    (first, second) = [seen for seen in only.server.seen if seen.method == "POST"]
    assert (first.path, first.query, first.json) == (second.path, second.query, second.json)
    assert first.headers["operation-id"] == second.headers["operation-id"]
    assert (theirs["id"], theirs["status"]) == (ours["message_id"], "Succeeded")
    asked = [seen.path for seen in only.server.seen if seen.method == "GET"]
    assert set(asked) == {f"/emails/operations/{ours['message_id']}"}


@pytest.mark.parametrize("only", ["twilio"], indirect=True)
def test_twilios_sdk_sends_the_same_request_and_reads_the_same_answers(only: Bench) -> None:
    class Here(TwilioHttpClient):
        def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            return super().request(method, url.replace("https://api.twilio.com", only.server.url), *args, **kwargs)

    ours = only.send()
    client = TwilioClient(TwilioStub.account, TwilioStub.secret, http_client=Here())
    theirs = client.messages.create(to=TO["sms"], from_="+15005550006", body=TEXT["text"])

    first, second = only.server.seen
    assert (first.method, first.path, first.form) == (second.method, second.path, second.form)
    assert first.headers["authorization"] == second.headers["authorization"]
    assert (ours["message_id"], theirs.sid) == ("SM" + "0" * 31 + "1", "SM" + "0" * 31 + "2")


def test_twilio_is_asked_through_a_messaging_service_and_with_an_api_key_where_these_are_chosen(lab: Lab) -> None:
    stub = TwilioStub()
    with WebStub(stub.answer) as server:
        environ = {**stub.environ(server.url), "ORDERFLOW_SMS_FROM": "MG1", "ORDERFLOW_SMS_USER": "SK1"}
        messenger = choose(lab, "sms", stub.secret, ORDERFLOW_SMS="twilio", **environ)
        with pytest.raises(Unavailable, match="refuses our credentials"):  # The stub knows the account only.
            messenger.send(**TEXT, to=TO["sms"])
        seen = server.seen[0]
    assert (seen.form["MessagingServiceSid"], "From" in seen.form) == ("MG1", False)
    assert seen.headers["authorization"] == "Basic U0sxOmFuIGF1dGggdG9rZW4="


@pytest.mark.filterwarnings("ignore:Message.token is deprecated:DeprecationWarning")
@pytest.mark.parametrize("only", ["fcm"], indirect=True)
def test_firebases_sdk_sends_the_same_request_and_reads_the_same_answers(
    only: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = only.stub
    assert isinstance(stub, FirebaseStub)
    firebase = stub
    ours = only.send()

    class SignedIn(credentials.Base):
        def get_credential(self) -> Any:
            return google.oauth2.credentials.Credentials(f"token-{firebase.tokens}")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(messaging._MessagingService, "FCM_URL", f"{only.server.url}/v1/projects/{{0}}/messages:send")
    app = firebase_admin.initialize_app(SignedIn(), {"projectId": "shop"}, name="test")
    try:
        theirs = messaging.send(
            messaging.Message(
                token=TO["push"],
                notification=messaging.Notification(title=TEXT["subject"], body=TEXT["text"]),
                android=messaging.AndroidConfig(notification=messaging.AndroidNotification(tag=KEY)),
                apns=messaging.APNSConfig(headers={"apns-collapse-id": KEY}),
            ),
            app=app,
        )
        with pytest.raises(messaging.UnregisteredError):
            messaging.send(messaging.Message(token=NOBODY["push"]), app=app)
    finally:
        firebase_admin.delete_app(app)

    assert (ours["message_id"], theirs) == ("projects/shop/messages/1", "projects/shop/messages/2")
    assert stub.sent[0] == stub.sent[1]


@pytest.mark.parametrize("only", ["fcm"], indirect=True)
def test_googles_sdk_asks_for_a_token_with_the_same_claims(only: Bench) -> None:
    stub = only.stub
    assert isinstance(stub, FirebaseStub)
    only.send()
    account = service_account.Credentials.from_service_account_info(stub.account, scopes=[fcm.SCOPE])  # type: ignore[no-untyped-call]
    assertion = account._make_authorization_grant_assertion()
    token, _, _ = _client.jwt_grant(Request(), f"{only.server.url}/token", assertion)  # type: ignore[no-untyped-call]

    mine, other = stub.assertions
    assert token == "token-2"
    assert set(mine) == set(other)
    assert (mine["iss"], mine["aud"], mine["scope"]) == (other["iss"], other["aud"], other["scope"])
    assert mine["exp"] - mine["iat"] == other["exp"] - other["iat"]
    first, second = [seen.form["grant_type"] for seen in only.server.seen if seen.path == "/token"]
    assert first == second


@pytest.mark.parametrize("only", ["fcm"], indirect=True)
def test_an_access_token_is_used_until_shortly_before_its_end(only: Bench) -> None:
    assert isinstance(only.stub, FirebaseStub)
    for _ in range(3):
        only.send()
    assert only.stub.tokens == 1
    only.lab.clock.time += 3_550
    only.send()
    assert only.stub.tokens == 2


@pytest.mark.parametrize(
    ("system", "name", "value"),
    [("push", "fcm", "no json"), ("push", "fcm", '{"project_id": "p"}'), ("email", "acs", "not base64")],
)
def test_a_secret_of_the_wrong_kind_says_so_and_not_what_it_is(lab: Lab, system: str, name: str, value: str) -> None:
    stub = STUBS[name]()
    environ = {f"ORDERFLOW_{system.upper()}": name, **stub.environ("http://127.0.0.1:9")}
    messenger = choose(lab, system, value, **environ)
    with pytest.raises(Unavailable, match="the secret of") as error:
        messenger.send(**TEXT, to=TO[system])
    assert value not in str(error.value)
