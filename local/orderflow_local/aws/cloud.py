"""`AwsCloud`: AWS on this machine behind one start and one stop."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from typing import TYPE_CHECKING

from orderflow_aws.sdk import Clients
from orderflow_local.aws import firehose_standin, ministack
from orderflow_local.aws.front import ApiFront
from orderflow_local.aws.functions import VISIBILITY_S, Code, Functions
from orderflow_local.aws.provision import Topology, provision
from orderflow_local.aws.schedule import LocalSchedule
from orderflow_local.cloud import Depth, Host, Missing, Report, Setup
from orderflow_local.processes import Process
from orderflow_local.sink import Sink

if TYPE_CHECKING:
    import boto3

PREFIX = "orderflow"

_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class AwsCloud:
    """`orderflow_local.cloud.LocalCloud` for AWS. State is in ministack's memory and ends with it."""

    name = "aws"

    def __init__(self, setup: Setup, topology: Topology | None = None, code: Code | None = None) -> None:
        """``topology`` and ``code`` are orderflow's own unless given."""
        self._setup = setup
        self._given = topology
        self._code = code or Code()
        self._process: Process | None = None
        self._front: ApiFront | None = None
        self._schedules: list[LocalSchedule] = []
        self._sinks: list[Sink] = []
        self._environment: dict[str, str] = {}
        self.api_url = ""

    def start(self, report: Report) -> None:
        if importlib.util.find_spec("awslambdaric") is None:
            raise Missing(f"awslambdaric is missing: {sys.executable} -m pip install awslambdaric")
        try:
            self._start(report)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for schedule in self._schedules:
            schedule.stop()
        self._schedules.clear()
        for sink in self._sinks:
            sink.stop()
        self._sinks.clear()
        if self._front is not None:
            self._front.stop()
            self._front = None
        if self._process is not None:
            self._process.stop()
            self._process = None

    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def hosts(self) -> list[Host]:
        return self._functions.hosts()

    def kill_host(self, name: str) -> None:
        self._functions.kill(name)

    def depths(self) -> dict[str, Depth]:
        return {name: self._depth(url) for name, url in self._resources.queue_urls.items()}

    def _start(self, report: Report) -> None:
        python = ministack.install(report)
        self._process, endpoint = ministack.start(python, self._setup.workdir)
        report("ministack is up: SNS, SQS, DynamoDB, S3, Lambda, HTTP API")
        topology = self._topology()
        reach = {**self._setup.settings, **_ACCOUNT, "AWS_ENDPOINT_URL": endpoint}
        self._clients = Clients(reach)
        self._resources = provision(self._clients, topology, PREFIX, visibility_s=VISIBILITY_S)
        self._environment = {**reach, **self._resources.environment(PREFIX)}
        session = _session()
        functions = self._functions = Functions(
            session.client("lambda", endpoint_url=endpoint),
            topology,
            PREFIX,
            self._setup.workdir / "runtimes",
            self._process.pid,
        )
        functions.deploy(self._code, self._resources, {**self._environment, **self._routed(endpoint)})
        report(f"{len(topology['services']) - len(self._resources.sink_urls)} Lambda functions are deployed")
        for name, service in topology["services"].items():
            if service["trigger"] == "http":
                self._front = ApiFront(_http_api(session, endpoint, f"{PREFIX}-{name}"))
                self.api_url = self._front.url
            elif service["trigger"] == "schedule":
                every_s = float(self._setup.settings.get("ORDERFLOW_SWEEP_EVERY_S", service["every_s"]))
                self._schedules.append(LocalSchedule(every_s, partial(functions.invoke_later, name)))
            elif service["trigger"] == "sink":
                every_s = float(self._setup.settings.get("ORDERFLOW_ARCHIVE_EVERY_S", service["every_s"]))
                self._sinks.append(
                    firehose_standin.deliver(
                        self._clients,
                        self._resources.sink_urls[name],
                        stream=f"{PREFIX}-{name}",
                        bucket=self._resources.buckets[service["bucket"]],
                        prefix=service["prefix"],
                        every_s=every_s,
                    )
                )

    def _routed(self, endpoint: str) -> dict[str, str]:
        """Where the functions find the store and the topic, if that is not where everything is."""
        address, _, port = endpoint.rpartition(":")
        fronts = {"DYNAMODB": self._setup.through("store", int(port)), "SNS": self._setup.through("topic", int(port))}
        return {
            f"AWS_ENDPOINT_URL_{service}": f"{address}:{front}"
            for service, front in fronts.items()
            if front != int(port)
        }

    def _topology(self) -> Topology:
        if self._given is not None:
            return self._given
        from orderflow import topology

        return topology.build()

    def _depth(self, url: str) -> Depth:
        counts = self._clients.sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesDelayed",
                "ApproximateNumberOfMessagesNotVisible",
            ],
        )["Attributes"]
        return Depth(
            waiting=int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesDelayed"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
        )


def _session() -> boto3.Session:
    import boto3

    return boto3.Session(_ACCOUNT["AWS_ACCESS_KEY_ID"], _ACCOUNT["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1")


def _http_api(session: boto3.Session, endpoint: str, function: str) -> str:
    """An HTTP API that hands every request to one function. Returns its URL."""
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{function}"
    gateway = session.client("apigatewayv2", endpoint_url=endpoint)
    api = gateway.create_api(Name=function, ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return f"{endpoint}/_aws/execute-api/{api}"
