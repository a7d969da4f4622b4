"""E-mail by SES v2, sent with the function's own identity: there is no secret.

Idempotency
    None: a message whose answer was lost is sent again. The SDK is kept from doing so by itself. Our key goes along as
    the message tag ``key``.
Errors
    MessageRejected: undeliverable. BadRequestException fails the attempt and no breaker opens for it. Anything else is
    `Unavailable`: a sender that is not verified, sending that is paused, a quota
    (docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors).
"""

from __future__ import annotations

from typing import Any

from orderflow.providers import Choice
from orderflow.providers.web import BadCall
from orderflow_aws.sdk import Clients, error_code, unavailable


class SesEmail:
    """`orderflow.ports.Messenger` over SES; option ``from``, a verified sender."""

    def __init__(self, clients: Clients, choice: Choice) -> None:
        self._clients = clients
        self._sender = choice.option("from")

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        with unavailable("SES SendEmail"):
            try:
                answer = self._clients.email.send_email(
                    FromEmailAddress=self._sender,
                    Destination={"ToAddresses": [to]},
                    Content={
                        "Simple": {
                            "Subject": {"Data": subject, "Charset": "UTF-8"},
                            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                        }
                    },
                    EmailTags=[{"Name": "key", "Value": key}],
                )
            except ClientError as error:
                match error_code(error.response):
                    case "MessageRejected":
                        return {"status": "refused", "reason": "SES rejects the message"}
                    case "BadRequestException":
                        raise BadCall("SES does not take the request: BadRequestException") from None
                raise
        return {"status": "sent", "message_id": answer["MessageId"]}
