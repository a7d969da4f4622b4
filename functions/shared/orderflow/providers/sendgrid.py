"""SendGrid e-mail: ``POST /v3/mail/send`` (www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send).

Idempotency
    None: a message whose answer was lost is sent again. Our key goes along as ``custom_args.key``, so that SendGrid's
    event log tells which sendings are one message.
Answers
    202 with ``X-Message-Id``. 400 that blames the recipient: undeliverable. 403: an operator's matter (the sender is
    not verified, or too many bad requests). Any other 4xx: `BadCall`.
"""

from __future__ import annotations

from typing import Any

from orderflow.ports import Unavailable
from orderflow.providers import Choice
from orderflow.providers.web import BadCall, Web

API = "https://api.sendgrid.com"
"""An account in the EU has https://api.eu.sendgrid.com."""


def make(choice: Choice) -> SendGridEmail:
    """Options: ``from``, a verified sender; ``url``."""
    return SendGridEmail(Web("SendGrid", choice.option("url", API), choice.secret, choice.clock), choice.option("from"))


class SendGridEmail:
    """`orderflow.ports.Messenger` at SendGrid."""

    def __init__(self, web: Web, sender: str) -> None:
        self._web = web
        self._sender = sender

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        message = {
            "from": {"email": self._sender},
            "subject": subject,
            "personalizations": [{"to": [{"email": to}], "custom_args": {"key": key}}],
            "content": [{"type": "text/plain", "value": text}],
        }
        reply = self._web.post_json("/v3/mail/send", message)
        if reply.status == 202:
            return {"status": "sent", "message_id": reply.headers.get("x-message-id", "")}
        errors = reply.json().get("errors") or []
        fields = sorted({str(error.get("field")) for error in errors if isinstance(error, dict)})
        if reply.status == 400 and fields and all(field.startswith("personalizations.0.to") for field in fields):
            return {"status": "refused", "reason": "SendGrid does not take the address"}
        if reply.status == 403:
            raise Unavailable("SendGrid does not let us send: is the sender verified?")
        raise BadCall(f"SendGrid does not take the request ({reply.status}): {', '.join(fields)}")
