"""Which doors a deployment has to the internet: the HTTP API's and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from terraform.plan import Plan


def aws(plan: Plan) -> set[str]:
    """Who may be called without an identity of the account: by a function's own address, or by anybody's leave."""
    assert not [each for each in plan.resources if each.type == "aws_lambda_function_url"]
    principals = {each.values["principal"] for each in plan.all("aws_lambda_permission")}
    assert principals == {"apigateway.amazonaws.com"}, "schedule and queues come by roles"
    for each in plan.resources:
        for statement in statements(each.values):
            anybody = statement.get("Principal") in ("*", {"AWS": "*"})
            assert not anybody or statement["Effect"] == "Deny", f"{each.address} lets anybody in"
    for block in plan.all("aws_s3_bucket_public_access_block"):
        assert all(value for name, value in block.values.items() if name.startswith(("block_", "ignore_", "restrict_")))
    return {each.values["function_name"] for each in plan.all("aws_lambda_permission")}


def azure(plan: Plan) -> set[str]:
    """Which apps take calls from everywhere. What in them answers HTTP is held by tests/azure/test_entrypoints.py."""
    apps = plan.all("azurerm_function_app_flex_consumption")
    for account in plan.all("azurerm_storage_account"):
        assert not account.values["allow_nested_items_to_be_public"]
        assert not account.values["shared_access_key_enabled"], "a key would be a door"
    for kind, field in (
        ("azurerm_servicebus_namespace", "local_auth_enabled"),
        ("azurerm_eventgrid_topic", "local_auth_enabled"),
    ):
        assert not plan.one(kind)[field], "a key would be a door"
    return {
        each.values["name"] for each in apps if each.values["site_config"][0]["ip_restriction_default_action"] != "Deny"
    }


def gcp(plan: Plan) -> set[str]:
    """What anybody may invoke, or reach from outside."""
    for each in plan.resources:
        member = each.values.get("member")
        if member in ("allUsers", "allAuthenticatedUsers"):
            assert (each.type, member) == ("google_cloud_run_v2_service_iam_member", "allUsers"), each.address
    for bucket in plan.all("google_storage_bucket"):
        assert bucket.values["public_access_prevention"] == "enforced"
    reachable = {
        each.values["name"]
        for each in plan.all("google_cloudfunctions2_function")
        if each.values["service_config"][0]["ingress_settings"] != "ALLOW_INTERNAL_ONLY"
    }
    public = plan.all("google_cloud_run_v2_service_iam_member", "public")
    assert len(public) == len(reachable) == 1
    return reachable


DOORS: dict[str, Callable[[Plan], set[str]]] = {"aws": aws, "azure": azure, "gcp": gcp}


def statements(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a resource's policy, where it has one that is known."""
    policy = values.get("policy")
    if isinstance(policy, str) and policy.startswith("{"):
        yield from json.loads(policy).get("Statement", [])


def test_the_api_is_the_only_door(cloud: str, plan: Plan) -> None:
    [door] = DOORS[cloud](plan)
    assert "-api" in door
