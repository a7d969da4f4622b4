"""Where traces and metrics of AWS go when ``cloud`` is asked for: spans to X-Ray's OTLP endpoint, signed like every
call to AWS (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-OTLPEndpoint.html; the account has to
have Transaction Search on), metrics to the log in CloudWatch's embedded metric format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orderflow.metrics import EmfMeter, Meter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from requests import PreparedRequest


def resource(_environ: Mapping[str, str]) -> dict[str, str]:
    """What every span and metric says of where it is from."""
    return {"cloud.provider": "aws"}


def span_exporter(environ: Mapping[str, str]) -> SpanExporter:
    """OTLP to the endpoint of the region, or to ``OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`` where that is given."""
    import requests

    from orderflow.spans import otlp_exporter

    region = environ["AWS_REGION"]
    session = requests.Session()
    session.auth = Signature(region)
    own = f"https://xray.{region}.amazonaws.com/v1/traces"
    return otlp_exporter(endpoint=environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", own), session=session)


def meter(environ: Mapping[str, str]) -> Meter:
    """The log. The namespace is the deployment's prefix, as that of Terraform's own metrics is."""
    return EmfMeter(environ.get("ORDERFLOW_PREFIX", "orderflow"))


class Signature:
    """Signs requests to X-Ray with the function's own credentials (Signature Version 4)."""

    def __init__(self, region: str) -> None:
        from botocore.session import Session

        self._region = region
        self._session = Session()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request. The headers that a proxy may change are left out of what is signed."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        kept = {name: value for name, value in request.headers.items() if name.lower().startswith("content-")}
        signed = AWSRequest(request.method, request.url, headers=kept, data=request.body)
        credentials = self._session.get_credentials()
        assert credentials is not None, "a function has a role"
        SigV4Auth(credentials, "xray", self._region).add_auth(signed)
        request.headers.update(dict(signed.headers))
        return request
