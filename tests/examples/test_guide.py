"""The code of docs/new-service.md, as it stands there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from added import added, write_package
from docs.blocks import ITS_TEST, LOYALTY, code
from orderflow import topology
from orderflow.services import SERVICES
from orderflow_cli.contracts import documents


@pytest.fixture
def _followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The guide was followed, in a package beside the core's."""
    if "loyalty" in SERVICES:
        pytest.skip("the guide has been followed in this tree: there is a service loyalty")
    write_package(tmp_path, "guided", loyalty=code(LOYALTY))
    monkeypatch.syspath_prepend(tmp_path)
    with added("guided"):
        yield
    for name in ("guided", "guided.loyalty"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("_followed")
def test_the_guides_service_passes_the_guides_test() -> None:
    found: dict[str, object] = {}
    exec(code(ITS_TEST), found)  # noqa: S102  our own page
    tests = [value for name, value in found.items() if name.startswith("test_")]
    assert len(tests) == 3
    for test in tests:
        assert callable(test)
        test()


@pytest.mark.usefixtures("_followed")
def test_the_guides_service_is_in_the_topology_and_the_contracts() -> None:
    declared = topology.build()
    assert declared["services"]["loyalty"]["hears"] == ["OrderCancelled", "OrderConfirmed"]
    assert declared["packages"] == ["guided"]
    assert declared["collections"]["points"] == {"indexes": [], "ttl": False}
    assert "loyalty-sends" in documents.asyncapi()["operations"]


@pytest.mark.usefixtures("_followed")
def test_a_category_that_others_are_subscribed_to_is_refused(tmp_path: Path) -> None:
    module = tmp_path / "guided" / "loyalty.py"
    module.write_text(code(LOYALTY).replace('= "loyalty"\n', '= "answer"\n', 1), encoding="utf-8")

    with pytest.raises(topology.BadDeclaration, match=r"PointsEarned: .* 'answer'"):
        topology.build()
