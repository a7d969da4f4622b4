"""E-mail by SES and SMS by SNS, answered by moto; errors as AWS documents them, from botocore's stubber."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from orderflow.clock import SystemClock
from orderflow.ports import Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall
from orderflow.secret import Secret
from orderflow.settings import BadSetting
from orderflow_aws.sdk import Clients
from orderflow_aws.ses import SesEmail
from orderflow_aws.sms import SnsSms
from orderflow_aws.wiring import bootstrap
from orderflow_local.memory import MemorySecrets, MemoryStore

TEXT = {"key": "7f1f3c0a-5a3b", "subject": "Your order is on its way", "text": "Hello Zoë."}
ENVIRON = {"ORDERFLOW_TOPIC_ARN": "t", "ORDERFLOW_ARCHIVE_BUCKET": "a", "ORDERFLOW_DROP_BUCKET": "d"}
QUEUES = {"ORDERFLOW_QUEUES_URL": "https://sqs.eu-west-1.amazonaws.com/1/"}


def choice(system: str, **options: str) -> Choice:
    """A choice of the provider for a system."""
    clock = SystemClock()
    secrets = MemorySecrets()
    return Choice(system, options, Secret(secrets, system, clock), secrets, MemoryStore(), clock)


@pytest.fixture
def email(clients: Clients) -> SesEmail:
    """SES, with a sender that is verified."""
    clients.email.create_email_identity(EmailIdentity="shop@example.com")
    return SesEmail(clients, choice("email", **{"from": "shop@example.com"}))


@pytest.fixture
def sms(clients: Clients) -> SnsSms:
    """SNS, with a sender id."""
    return SnsSms(clients, choice("sms", **{"from": "Shop"}))


def test_an_email_is_sent_by_ses(email: SesEmail) -> None:
    from moto.backends import get_backend

    answer = email.send(**TEXT, to="zoe@example.com")
    backend: Any = get_backend("ses")
    [sent] = backend["123456789012"]["us-east-1"].sent_messages
    assert answer == {"status": "sent", "message_id": sent.id}
    assert (sent.source, sent.destinations["ToAddresses"], sent.subject) == (
        "shop@example.com",
        ["zoe@example.com"],
        TEXT["subject"],
    )


def test_an_sms_is_sent_by_sns(sms: SnsSms) -> None:
    from moto.backends import get_backend

    answer = sms.send(**TEXT, to="+4930123456")
    backend: Any = get_backend("sns")
    sent = backend["123456789012"]["us-east-1"].sms_messages
    assert [(phone, text) for phone, text, *_ in sent.values()] == [("+4930123456", TEXT["text"])]
    assert answer == {"status": "sent", "message_id": next(iter(sent))}


@pytest.mark.parametrize(
    ("code", "means"),
    [
        ("MessageRejected", "refused"),
        ("BadRequestException", BadCall),
        ("MailFromDomainNotVerifiedException", Unavailable),
        ("SendingPausedException", Unavailable),
        ("AccountSuspendedException", Unavailable),
        ("TooManyRequestsException", Unavailable),
        ("AccessDeniedException", Unavailable),
    ],
)
def test_what_ses_answers_means(email: SesEmail, clients: Clients, code: str, means: Any) -> None:
    with Stubber(clients.email) as stub:
        stub.add_client_error("send_email", code, "nobody@example.com", 400)
        if means == "refused":
            assert email.send(**TEXT, to="nobody@example.com") == {
                "status": "refused",
                "reason": "SES rejects the message",
            }
        else:
            with pytest.raises(means, match=code) as error:
                email.send(**TEXT, to="nobody@example.com")
            assert "nobody" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "refused"),
    [("OptedOut", True), ("InvalidParameter", True), ("Throttled", False), ("AuthorizationError", False)],
)
def test_what_sns_answers_means(sms: SnsSms, clients: Clients, code: str, refused: bool) -> None:
    with Stubber(clients.sms) as stub:
        stub.add_client_error("publish", code, "+4930999999", 400)
        if refused:
            assert sms.send(**TEXT, to="+4930999999") == {"status": "refused", "reason": f"SNS: {code}"}
        else:
            with pytest.raises(Unavailable, match=code):
                sms.send(**TEXT, to="+4930999999")


def test_the_sdk_does_not_repeat_by_itself_what_customers_would_see_twice(clients: Clients) -> None:
    for client in (clients.email, clients.sms):
        assert client.meta.config.retries["total_max_attempts"] == 1  # type: ignore[attr-defined]
    assert clients.sns.meta.config.retries["total_max_attempts"] > 1  # type: ignore[attr-defined]


def test_they_are_chosen_by_configuration_and_want_a_sender() -> None:
    chosen = {"ORDERFLOW_EMAIL": "ses", "ORDERFLOW_EMAIL_FROM": "shop@example.com", "ORDERFLOW_SMS": "sns"}
    dependencies = bootstrap({**ENVIRON, **QUEUES, **chosen}).dependencies
    assert isinstance(dependencies["email"], SesEmail)
    assert isinstance(dependencies["sms"], SnsSms)
    with pytest.raises(BadSetting, match="ORDERFLOW_EMAIL_FROM"):
        bootstrap({**ENVIRON, **QUEUES, "ORDERFLOW_EMAIL": "ses"})
