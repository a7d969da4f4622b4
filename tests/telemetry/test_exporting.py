"""Where spans go, what it costs whom when they cannot, and that nothing is there when nobody asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from orderflow import telemetry
from orderflow.app import App
from orderflow.observer import Observer
from orderflow.settings import Settings
from orderflow.spans import Spans
from orderflow_cli import deploy, package
from orderflow_cli.terraform import Root
from orderflow_local.collector import Collector, ask_spans
from telemetry.world import Observed

ROOT = Path(__file__).parents[2]


class Stuck(SpanExporter):
    """A collector that never answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.let_go = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.calls += 1
        self.let_go.wait(60)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        return


class Broken(SpanExporter):
    """An exporter that raises."""

    def __init__(self) -> None:
        self.calls = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.calls += 1
        raise RuntimeError("no route to host")

    def shutdown(self) -> None:
        return


def exporting_to(world: Observed, exporter: SpanExporter) -> None:
    """Let a workflow send its spans elsewhere."""
    old = world.app
    world.app = App(world.ports, Settings(), Observer(Spans(exporter, {})))
    world.app.__dict__["_api"] = old._api


def test_a_collector_that_does_not_answer_delays_one_message_a_little_and_the_next_not_at_all(
    observed: Observed, capsys: pytest.CaptureFixture[str]
) -> None:
    exporter = Stuck()
    exporting_to(observed, exporter)
    began = time.monotonic()
    observed.place()
    first = time.monotonic() - began
    began = time.monotonic()
    for _ in range(20):
        observed.place()
    others = time.monotonic() - began
    exporter.let_go.set()

    assert 0.9 < first < 20, "the bound is a second, the collector's silence a minute"
    assert others < 18, "then it is left alone for a while: twenty bounds would be twenty seconds"
    assert exporter.calls == 1
    assert "spans not sent" in capsys.readouterr().out


def test_an_exporter_that_fails_fails_no_message(observed: Observed, capsys: pytest.CaptureFixture[str]) -> None:
    exporter = Broken()
    exporting_to(observed, exporter)
    observed.place()
    observed.settle()

    assert {each.kind for each in observed.broker.published} >= {"OrderConfirmed", "ShipmentCreated"}
    assert exporter.calls == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["reason"] for line in lines if line["message"] == "spans not sent"] == ["RuntimeError"]


def test_a_sink_that_raises_fails_no_message(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Spans, "delivered", lambda *_: 1 / 0)
    observed.place()
    observed.settle()

    assert "OrderConfirmed" in {each.kind for each in observed.broker.published}


def test_telemetry_is_off_unless_it_is_asked_for() -> None:
    assert telemetry.from_environment({}, "aws") is None
    assert telemetry.from_environment({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": ""}, "gcp") is None
    assert telemetry.from_environment({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, "azure") is None


@pytest.mark.parametrize("variable", [telemetry.TRACES, telemetry.METRICS])
def test_an_exporter_that_there_is_not_is_refused_by_name(variable: str) -> None:
    with pytest.raises(telemetry.BadExporter, match=rf"{variable} must be none, otlp or cloud, not 'zipkin'"):
        telemetry.from_environment({variable: "zipkin"}, "aws")


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_nothing_is_imported_for_telemetry_that_is_off(cloud: str) -> None:
    program = (
        "import sys\nfrom orderflow import telemetry\nimport orderflow.app\n"
        f"assert telemetry.from_environment({{}}, {cloud!r}) is None\n"
        "print([name for name in sys.modules if 'opentelemetry' in name or name.startswith('orderflow.')])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    for module in ("opentelemetry", "orderflow.observer", "orderflow.metrics", "orderflow.spans"):
        assert module not in run.stdout


def test_a_package_without_opentelemetry_says_so_and_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "orderflow.spans", None)
    environ = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "cloud"}
    assert telemetry.from_environment(environ, "aws") is not None, "metrics need no package on AWS"
    assert telemetry.from_environment({"OTEL_TRACES_EXPORTER": "otlp"}, "aws") is None
    assert "telemetry is not in this package" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "shell", "with_it"),
    [
        ('telemetry = "cloud"', None, True),
        ('telemetry           = "https://otlp.example.com"', None, True),
        ('telemetry = "off"', "cloud", False),
        ("", "cloud", True),
        ('# telemetry = "cloud"', None, False),
        ("", None, False),
    ],
)
def test_deploy_packages_opentelemetry_where_the_environment_has_telemetry_on(
    line: str, shell: str | None, with_it: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Terraform does, the environment's file goes before the shell's ``TF_VAR_``."""
    file = tmp_path / "terraform" / "gcp" / "environments" / "dev.tfvars"
    file.parent.mkdir(parents=True)
    file.write_text(f'environment = "dev"\n{line}\n')
    monkeypatch.delenv("TF_VAR_telemetry", raising=False)
    if shell:
        monkeypatch.setenv("TF_VAR_telemetry", shell)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/terraform")
    packed: list[bool] = []

    def build(*_: object, telemetry: bool, **__: object) -> None:
        packed.append(telemetry)
        raise package.PackageFailed("that is enough")

    monkeypatch.setattr(package, "build", build)
    with pytest.raises(package.PackageFailed):
        deploy._plan(Root(tmp_path, "gcp", "dev"))
    assert packed == [with_it]


@pytest.mark.parametrize("name", package.RECIPES)
def test_a_package_with_telemetry_has_all_that_one_without_has_and_what_it_takes(name: str) -> None:
    recipe = package.RECIPES[name]

    def locked(*, telemetry: bool) -> set[str]:
        text = (ROOT / "functions" / recipe.cloud / recipe.lock(telemetry=telemetry)).read_text(encoding="utf-8")
        return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))

    without, with_it = locked(telemetry=False), locked(telemetry=True)
    assert without < with_it
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http", "requests"} <= with_it
    assert "opentelemetry-exporter-otlp-proto-http" not in without


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    running = Collector(tmp_path_factory.mktemp("collector"))
    running.start()
    yield running
    running.stop()


def test_spans_reach_a_collector_by_otlp_before_the_function_has_answered(
    observed: Observed, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = collector.settings("gcp")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    observer = telemetry.from_environment({**environ, "GOOGLE_CLOUD_PROJECT": "p"}, "gcp")
    assert observer is not None
    observed.app._observer = observer
    observed.place(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")

    spans = ask_spans(environ["OTEL_EXPORTER_OTLP_ENDPOINT"], "4bf92f3577b34da6a3ce929d0e0e4736")
    assert {span.name for span in spans} >= {"POST /orders", "publish OrderPlaced", "put orders"}
    [request] = [span for span in spans if span.kind == "server"]
    assert (request.service, request.parent_id) == ("api", "00f067aa0ba902b7")
    assert request.attributes["http.response.status_code"] == 202
    assert ask_spans(f"{collector.url}/aws", "4bf92f3577b34da6a3ce929d0e0e4736") == [], "each cloud has its own"
