"""Who may import whom, and how large a room may grow. docs/architecture.md draws what is held here."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from orderflow.events import Event

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "functions" / "shared"
CLOUDS = ("aws", "azure", "gcp")
SDKS = ("boto3", "botocore", "azure", "google", "functions_framework", "awslambdaric", "grpc", "moto")
TOOLS = ("orderflow_local", "orderflow_cli", "typer", "rich", "httpx", "starlette", "uvicorn", "pytest")

SHARES = {
    ("orderflow.services.email", "orderflow.services._channels"): "one way to send for all channels",
    ("orderflow.services.sms", "orderflow.services._channels"): "one way to send for all channels",
    ("orderflow.services.push", "orderflow.services._channels"): "one way to send for all channels",
}
"""Where a service's module may import another's, and why."""

WITH_TELEMETRY = {"orderflow.meters", "orderflow.spans"}
"""What is loaded when telemetry is on, and knows OpenTelemetry."""

STOCK = {"STOCK", "Stock", "stock_key"}
"""What the stock files may know of inventory: the documents that both change."""


def modules(*folders: Path) -> list[Path]:
    """Every Python file of some folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.py") if ".venv" not in path.parts)


def name_of(path: Path) -> str:
    """A module's name, from the folder that is on the path."""
    for base in (SHARED, *(ROOT / "functions" / cloud for cloud in CLOUDS), ROOT / "local", ROOT / "cli"):
        if path.is_relative_to(base):
            return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
    raise AssertionError(path)


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every module that a file imports anywhere, with the names that it takes from it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            names = tuple(alias.name for alias in node.names)
            yield node.module, names
            for name in names:  # "from package import module" imports the module too
                if (SHARED / Path(*node.module.split("."), name)).with_suffix(".py").exists():
                    yield f"{node.module}.{name}", ()


def within(module: str, packages: tuple[str, ...]) -> bool:
    """Whether a module is one of these packages or in one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def ids(path: Path) -> str:
    """A file as it is named in a report."""
    return str(path.relative_to(ROOT))


SHARED_FILES = modules(SHARED)
FUNCTION_FILES = modules(ROOT / "functions")
LOCAL_FILES = modules(ROOT / "local")
CLI_FILES = modules(ROOT / "cli")
SHIPPED_FILES = [*FUNCTION_FILES, *LOCAL_FILES, *CLI_FILES]


def test_there_is_something_to_look_at() -> None:
    assert len(SHARED_FILES) > 30
    assert len(FUNCTION_FILES) > len(SHARED_FILES) + 20
    assert min(len(LOCAL_FILES), len(CLI_FILES)) > 30


@pytest.mark.parametrize("path", SHARED_FILES, ids=ids)
def test_the_domain_and_the_shell_import_no_cloud_and_no_tool(path: Path) -> None:
    known = {*sys.stdlib_module_names, "orderflow", "orjson", "pydantic", "typing_extensions", "jwt"}
    if within(name_of(path), ("orderflow.providers",)):
        known.add("urllib3")  # It comes with every cloud's SDK.
    if name_of(path) in WITH_TELEMETRY:
        known.add("opentelemetry")
    found = {module for module, _ in imports(path)}
    assert {module for module in found if module.split(".")[0] not in known} == set()
    assert not [module for module in found if module.split(".")[0].startswith("orderflow_")]


def test_only_the_api_knows_tokens_and_the_provider_that_must_sign_one() -> None:
    assert [name_of(path) for path in SHARED_FILES if any(m.split(".")[0] == "jwt" for m, _ in imports(path))] == [
        "orderflow.auth",
        "orderflow.providers.fcm",
    ]


@pytest.mark.parametrize("path", modules(SHARED / "orderflow" / "services"), ids=ids)
def test_a_service_is_a_decision_and_imports_neither_shell_nor_another_service(path: Path) -> None:
    me = name_of(path)
    shared = ("envelope", "events", "keys", "service", "settings", "state")
    allowed = tuple(f"orderflow.{name}" for name in shared)
    for module, names in imports(path):
        if not within(module, ("orderflow",)):
            assert module.split(".")[0] in {*sys.stdlib_module_names, "pydantic"}
        elif module not in allowed and not within(module, allowed):
            shared_here = (me, module) in SHARES or module == "orderflow.services"
            assert shared_here or takes_events_only(module, names), f"{me} imports {module}"


def takes_events_only(module: str, names: tuple[str, ...]) -> bool:
    """Whether nothing is taken from a module but events that it declares: who hears them must know them."""
    there = {name for name, value in vars(import_module(module)).items() if event_class(value)}
    return bool(names) and there >= set(names)


def event_class(value: object) -> bool:
    """Whether this is an event's class."""
    return isinstance(value, type) and issubclass(value, Event)


def test_nobody_but_its_owner_takes_a_services_insides() -> None:
    """The rest of the shell finds services by name. The order's own API, webhook and sweeper, the list of orders
    that stand still, and the stock files, are declared exceptions."""
    takers = {
        "orderflow.api": "orderflow.services.order",
        "orderflow.webhooks": "orderflow.services.order",
        "orderflow.sweeper": "orderflow.services.order",
        "orderflow.stuck": "orderflow.services.order",
        "orderflow.files": "orderflow.services.inventory",
    }
    for path in SHARED_FILES:
        me = name_of(path)
        if within(me, ("orderflow.services",)):
            continue
        for module, names in imports(path):
            if within(module, ("orderflow.services",)) and module != "orderflow.services":
                assert takers.get(me) == module, f"{me} imports {module}"
                if me == "orderflow.files":
                    assert set(names) <= STOCK


@pytest.mark.parametrize("path", FUNCTION_FILES, ids=ids)
def test_nothing_that_is_deployed_imports_the_local_clouds_or_the_command(path: Path) -> None:
    assert not [module for module, _ in imports(path) if within(module, TOOLS)]


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=ids)
def test_nothing_imports_the_tests_the_benchmarks_or_what_only_they_need(path: Path) -> None:
    """Nor a folder of the tests that is on their path, such as ``simulation``."""
    folders = {each.name for each in (ROOT / "tests").iterdir() if each.is_dir()}
    only_theirs = {"tests", "benchmarks", "pytest", "hypothesis", "moto", *folders} - set(sys.stdlib_module_names)
    assert not [m for m, _ in imports(path) if m.split(".")[0] in only_theirs - {"aws", "azure", "gcp"}]


@pytest.mark.parametrize("path", LOCAL_FILES, ids=ids)
def test_the_local_clouds_know_nothing_of_the_command(path: Path) -> None:
    assert not [m for m, _ in imports(path) if within(m, ("orderflow_cli", "typer", "rich"))]


@pytest.mark.parametrize("path", modules(ROOT / "cli" / "orderflow_cli" / "ops"), ids=ids)
def test_an_operators_work_answers_data_and_leaves_the_showing_to_others(path: Path) -> None:
    """So that a command, a page and a test ask the same functions."""
    showing = ("typer", "rich", "starlette", "uvicorn", "orderflow_cli.commands", "orderflow_cli.room")
    assert not [m for m, _ in imports(path) if within(m, (*showing, "orderflow_cli.main"))]
    assert "print" not in {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", modules(ROOT / "cli" / "orderflow_cli" / "room"), ids=ids)
def test_the_control_room_and_the_commands_do_not_know_each_other(path: Path) -> None:
    assert not [m for m, _ in imports(path) if within(m, ("typer", "rich", "orderflow_cli.commands"))]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_local_cloud_knows_no_other_cloud(cloud: str) -> None:
    others = [other for other in CLOUDS if other != cloud]
    packages = tuple(name for other in others for name in (f"orderflow_{other}", f"orderflow_local.{other}"))
    for path in modules(ROOT / "local" / "orderflow_local" / cloud):
        assert not [m for m, _ in imports(path) if within(m, packages)], path


@pytest.mark.parametrize("folder", ["simulation", "protocol"])
def test_rules_are_proven_without_a_cloud(folder: str) -> None:
    """The simulator and the protocol's tests run the shell on a store in memory: no adapter, no SDK, no process."""
    adapters = tuple(f"orderflow_{cloud}" for cloud in CLOUDS)
    for path in modules(ROOT / "tests" / folder):
        ours = {m for m, _ in imports(path) if within(m, ("orderflow_local", "orderflow_cli"))}
        assert ours <= {"orderflow_local.memory", "orderflow_cli.contracts.samples"}, path
        assert not [m for m, _ in imports(path) if within(m, (*SDKS, *adapters))], path


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_knows_no_other_cloud(cloud: str) -> None:
    others = tuple(f"orderflow_{other}" for other in CLOUDS if other != cloud)
    sdks = {"aws": ("boto3", "botocore"), "azure": ("azure",), "gcp": ("google", "functions_framework", "grpc")}
    foreign = tuple(sdk for other in CLOUDS if other != cloud for sdk in sdks[other])
    for path in modules(ROOT / "functions" / cloud):
        assert not [m for m, _ in imports(path) if within(m, others) or within(m, foreign)], path


def test_the_clouds_adapters_are_side_by_side() -> None:
    """A reader who knows one cloud's package finds the way in the others'."""
    wanted = {"store.py", "publisher.py", "deadletters.py", "objects.py", "secrets.py", "wiring.py", "entrypoints.py"}
    for cloud in CLOUDS:
        assert wanted <= {path.name for path in modules(ROOT / "functions" / cloud / f"orderflow_{cloud}")}


ENTRYPOINTS = [
    *(ROOT / "functions" / cloud / f"orderflow_{cloud}" / "entrypoints.py" for cloud in CLOUDS),
    ROOT / "functions" / "gcp" / "main.py",
    ROOT / "functions" / "azure" / "function_app.py",
]


@pytest.mark.parametrize("path", ENTRYPOINTS, ids=ids)
def test_an_entrypoint_is_thin_and_knows_no_business(path: Path) -> None:
    """Of a service it knows the name and the limits, which say how long it may take."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for module, names in imports(path):
        assert not within(module, ("orderflow.events", "orderflow.record", "orderflow.files", "orderflow.sweeper"))
        if within(module, ("orderflow.services",)):
            assert module == "orderflow.services"
            assert set(names) <= {"SERVICES", "find"}
    finds = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "find"]
    limits = [
        node.value.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "limits" and isinstance(node.value, ast.Call)
    ]
    assert all(node in limits for node in finds)
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 160


@pytest.mark.parametrize("path", SHIPPED_FILES, ids=ids)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 70, f"{path.name}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", [*LOCAL_FILES, *CLI_FILES], ids=ids)
def test_every_module_beside_what_is_deployed_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", SHARED_FILES, ids=ids)
def test_whatever_is_public_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = [] if ast.get_docstring(tree) else ["the module"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                silent.append(node.name)
            if isinstance(node, ast.ClassDef) and name_of(path) == "orderflow.ports":
                methods = [each for each in node.body if isinstance(each, ast.FunctionDef)]
                silent += [f"{node.name}.{each.name}" for each in methods if not ast.get_docstring(each)]
    assert silent == []


def loaded_by(code: str) -> set[str]:
    """The modules that some code loads in a fresh interpreter (which may have namespaces such as google already)."""
    path = [str(SHARED), *(str(ROOT / "functions" / cloud) for cloud in CLOUDS)]
    program = (
        f"import sys; before = set(sys.modules); sys.path[:0] = {path!r}\n{code}\n"
        "print('\\n'.join(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env={})
    return set(done.stdout.split())


def heavy(modules_loaded: set[str], *allowed: str) -> set[str]:
    """Packages among them that cost time at a cold start."""
    packages = {
        *SDKS,
        *TOOLS,
        "opentelemetry",
        "jwt",
        "cryptography",
        "requests",
        "urllib3",
        "aiohttp",
        "flask",
        "numpy",
        "jsonschema",
    }
    top = {module.split(".")[0] for module in modules_loaded}
    return (top & packages) - set(allowed)


def services_in(modules_loaded: set[str]) -> set[str]:
    """The services among them."""
    prefix = "orderflow.services."
    return {module.removeprefix(prefix) for module in modules_loaded if module.startswith(prefix)}


def test_importing_the_app_loads_no_sdk_no_service_and_no_api() -> None:
    loaded = loaded_by("import orderflow.app")
    assert "orderflow.app" in loaded
    assert heavy(loaded) == set()
    assert services_in(loaded) == set()
    assert not {"orderflow.api", "orderflow.auth", "orderflow.sweeper", "orderflow.files", "orderflow.openapi"} & loaded


@pytest.mark.parametrize(("service", "with_it"), [("payment", set()), ("inventory", set()), ("sms", {"_channels"})])
def test_a_consumer_loads_its_own_service_only(service: str, with_it: set[str]) -> None:
    loaded = loaded_by(f"import orderflow.app\nfrom orderflow.services import find\nfind({service!r})")
    assert services_in(loaded) == {service} | with_it
    assert heavy(loaded) == set()


@pytest.mark.parametrize(
    ("environ", "providers"),
    [({}, {"simulated"}), ({"ORDERFLOW_GATEWAY": "stripe"}, {"simulated", "stripe", "web"})],
)
def test_only_the_chosen_providers_are_loaded_and_no_http_client_before_a_call(
    environ: dict[str, str], providers: set[str]
) -> None:
    loaded = loaded_by(
        f"from orderflow.providers import from_environment\nfrom_environment({environ}, None, None, None)"
    )
    prefix = "orderflow.providers."
    assert {module.removeprefix(prefix) for module in loaded if module.startswith(prefix)} == providers
    assert heavy(loaded) == set()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("orderflow_aws.entrypoints", ()),
        ("orderflow_azure.entrypoints", ("azure",)),
        ("orderflow_gcp.entrypoints", ("jwt", "cryptography")),  # every push has a token to be verified
    ],
)
def test_importing_an_entrypoint_loads_no_service_and_no_client(module: str, allowed: tuple[str, ...]) -> None:
    loaded = loaded_by(f"import {module}")
    assert heavy(loaded, *allowed) == set()
    assert services_in(loaded) == set()
    clients = ("azure.servicebus", "azure.data", "azure.eventgrid", "azure.storage", "azure.identity", "google.cloud")
    assert not [each for each in loaded if within(each, clients)]
