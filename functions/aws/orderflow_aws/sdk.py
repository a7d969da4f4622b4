"""The AWS SDK as the adapters use it: clients on first use, short time-outs, errors in the words of the ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orderflow.ports import Unavailable

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
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
        client: DynamoDBClient = self._client("dynamodb", self._config)
        return client

    @cached_property
    def sns(self) -> SNSClient:
        client: SNSClient = self._client("sns", self._config)
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        client: SQSClient = self._client("sqs", self._config)
        return client

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._client("s3", self._config)
        return client

    @cached_property
    def secrets(self) -> SecretsManagerClient:
        client: SecretsManagerClient = self._client("secretsmanager", self._config)
        return client

    @cached_property
    def email(self) -> SESV2Client:
        client: SESV2Client = self._client("sesv2", self._once)
        return client

    @cached_property
    def sms(self) -> SNSClient:
        client: SNSClient = self._client("sns", self._once)
        return client

    def _client(self, service: str, config: Config) -> Any:
        endpoint = self._endpoint("SECRETS_MANAGER" if service == "secretsmanager" else service.upper())
        return self._session.create_client(service, endpoint_url=endpoint, config=config)

    @cached_property
    def _session(self) -> Session:
        """botocore's own session: boto3's adds what we do not use, S3 transfers in threads first of all, at a fifth of
        the time that it takes to import."""
        from botocore.session import Session

        from orderflow_aws.loader import KnownServices

        given = self._environ.get
        session = Session()
        session.register_component("data_loader", KnownServices())
        if region := given("AWS_REGION") or given("AWS_DEFAULT_REGION"):
            session.set_config_variable("region", region)
        key, secret = given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY")
        if key and secret:
            session.set_credentials(key, secret, given("AWS_SESSION_TOKEN"))
        return session

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
