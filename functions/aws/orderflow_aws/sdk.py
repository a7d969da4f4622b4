"""The AWS SDK as the adapters use it: clients on first use, short time-outs, errors in the words of the ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from orderflow.ports import Unavailable

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

CONNECT_TIMEOUT = 1.0
READ_TIMEOUT = 5.0
ATTEMPTS = 3
"""The SDK's defaults (60 s to connect, 60 s to read, five tries) outlast a function: a lost connection would end
in a function time-out, which gives back a whole batch. These end a dead call within 20 s; the shell comes again."""


class Clients:
    """One client per service, made when it is first used and kept: neither the SDK's import nor a client's making is
    paid for by an invocation that does not need it. Region, endpoint and credentials come from ``environ``."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self._session.client("dynamodb", endpoint_url=self._endpoint("DYNAMODB"), config=self._config)

    @cached_property
    def sns(self) -> SNSClient:
        return self._session.client("sns", endpoint_url=self._endpoint("SNS"), config=self._config)

    @cached_property
    def sqs(self) -> SQSClient:
        return self._session.client("sqs", endpoint_url=self._endpoint("SQS"), config=self._config)

    @cached_property
    def s3(self) -> S3Client:
        return self._session.client("s3", endpoint_url=self._endpoint("S3"), config=self._config)

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        return self._session.client(
            "secretsmanager", endpoint_url=self._endpoint("SECRETS_MANAGER"), config=self._config
        )

    @cached_property
    def email(self) -> SESV2Client:
        return self._session.client("sesv2", endpoint_url=self._endpoint("SESV2"), config=self._once)

    @cached_property
    def sms(self) -> SNSClient:
        return self._session.client("sns", endpoint_url=self._endpoint("SNS"), config=self._once)

    @cached_property
    def _session(self) -> boto3.Session:
        import boto3

        given = self._environ.get
        return boto3.Session(
            aws_access_key_id=given("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=given("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=given("AWS_SESSION_TOKEN"),
            region_name=given("AWS_REGION") or given("AWS_DEFAULT_REGION"),
        )

    def _endpoint(self, service: str) -> str | None:
        """A service's own endpoint, else the general one
        (docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html)."""
        return self._environ.get(f"AWS_ENDPOINT_URL_{service}") or self._environ.get("AWS_ENDPOINT_URL")

    @cached_property
    def _config(self) -> Config:
        from botocore.config import Config

        return Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            user_agent="orderflow",  # its own one the SDK builds anew for every request: a quarter of its work
        )

    @cached_property
    def _once(self) -> Config:
        """For what must not be repeated: a customer would get the message twice."""
        from botocore.config import Config

        return self._config.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Turn any error of the SDK into `Unavailable`: throttled, refused, not reached or not answered, the port's caller
    can do nothing but come again. The message names the error code, never a request's content."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise Unavailable(f"{what}: {error_code(error.response)}") from error
    except BotoCoreError as error:
        raise Unavailable(f"{what}: {type(error).__name__}") from error


def error_code(response: Mapping[str, object]) -> str:
    """The error code in a failed call's response, such as ``ThrottlingException``."""
    error = response.get("Error")
    return str(error.get("Code", "unknown")) if isinstance(error, Mapping) else "unknown"
