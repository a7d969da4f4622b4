"""SMS by SNS, sent with the function's own identity: there is no secret.

Idempotency
    None: a message whose answer was lost is sent again. The SDK is kept from doing so by itself.
Errors
    OptedOut and InvalidParameter: undeliverable. Anything else is `Unavailable`
    (docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors). A number that cannot be reached, and a
    spent monthly limit, are told by delivery logs only: SNS has taken the message then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orderflow.providers import Choice
from orderflow_aws.sdk import Clients, error_code, unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns.type_defs import MessageAttributeValueTypeDef

_UNDELIVERABLE = ("InvalidParameter", "OptedOut")


class SnsSms:
    """`orderflow.ports.Messenger` over SNS; option ``from``, a sender id of letters and digits, where the customer's
    country has such."""

    def __init__(self, clients: Clients, choice: Choice) -> None:
        self._clients = clients
        self._attributes = {"AWS.SNS.SMS.SMSType": _text("Transactional")}
        if sender := choice.options.get("from"):
            self._attributes["AWS.SNS.SMS.SenderID"] = _text(sender)

    def send(self, *, key: str, to: str, subject: str, text: str) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        with unavailable("SNS Publish"):
            try:
                answer = self._clients.sms.publish(PhoneNumber=to, Message=text, MessageAttributes=self._attributes)
            except ClientError as error:
                if error_code(error.response).removesuffix("Exception") in _UNDELIVERABLE:
                    return {"status": "refused", "reason": f"SNS: {error_code(error.response)}"}
                raise
        return {"status": "sent", "message_id": answer["MessageId"]}


def _text(value: str) -> MessageAttributeValueTypeDef:
    return {"DataType": "String", "StringValue": value}
