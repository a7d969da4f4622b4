"""Who may do what on what: the identities of a plan, each with what it is allowed, in one form for the three clouds."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from terraform import ids
from terraform.plan import Plan, Resource

AWS_HOME = f"eu-west-1:{ids.ACCOUNTS['aws']}:"
TRUSTS = "may be used by"
"""What stands in place of an action where somebody may act as the identity."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """``who`` may do ``what`` (an action, or a role of Azure's or Google's) on ``where``, without the account's
    part of its name. ``when`` is a condition in the cloud's own words."""

    who: str
    where: str
    when: str
    what: str


def grants(cloud: str, plan: Plan) -> list[Grant]:
    """Everything that a plan allows to an identity, in order."""
    return sorted(set({"aws": _aws, "azure": _azure, "gcp": _gcp}[cloud](plan)))


def table(found: list[Grant]) -> str:
    """A text to be read and compared: below each identity a line for each thing, with all that may be done to it."""
    lines: list[str] = []
    for who, allowed in groupby(found, lambda grant: grant.who):
        lines += ["", who]
        for (where, when), actions in groupby(allowed, lambda grant: (grant.where, grant.when)):
            names = [grant.what for grant in actions]
            lines += _wrapped(f"{TRUSTS} {where}" if names == [TRUSTS] else f"{where}: {', '.join(names)}", indent=4)
            if when:
                lines += _wrapped(f"if {when}", indent=8)
    return "\n".join(lines[1:]) + "\n"


def _wrapped(text: str, indent: int) -> list[str]:
    first, rest = " " * indent, " " * (indent + 4)
    return textwrap.wrap(
        text, 120, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _aws(plan: Plan) -> Iterator[Grant]:
    for role in plan.all("aws_iam_role"):
        for statement in json.loads(role.values["assume_role_policy"])["Statement"]:
            [by] = statement["Principal"].values()
            yield Grant(f"role {role.values['name']}", by, _condition(statement), TRUSTS)
    for policy in plan.all("aws_iam_role_policy"):
        yield from _aws_statements(policy.values["role"], policy.values["policy"])
    policies = {each.values["arn"]: each.values["policy"] for each in plan.all("aws_iam_policy")}
    for attached in plan.all("aws_iam_role_policy_attachment"):
        yield from _aws_statements(attached.values["role"], policies[attached.values["policy_arn"]])
    for permission in plan.all("aws_lambda_permission"):
        function = f"lambda:function:{permission.values['function_name']}"
        yield Grant(permission.values["principal"], function, "", permission.values["action"])


def _aws_statements(role: str, policy: str) -> Iterator[Grant]:
    for statement in json.loads(policy)["Statement"]:
        denied = "" if statement["Effect"] == "Allow" else "NOT "
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                where = resource.removeprefix("arn:aws:").replace(AWS_HOME, "")
                yield Grant(f"role {role}", where, _condition(statement), f"{denied}{action}")


def _azure(plan: Plan) -> Iterator[Grant]:
    names = {ids.principal(each.address): each.values["name"] for each in plan.resources if "name" in each.values}
    own = {
        each.values["role_definition_resource_id"]: each.values["permissions"]
        for each in plan.all("azurerm_role_definition")
    }
    for each in plan.all("azurerm_role_assignment"):
        values = each.values
        where = values["scope"].removeprefix(ids.GROUP).removeprefix("/providers/") or "the resource group"
        actions = (
            [values["role_definition_name"]]
            if values.get("role_definition_name")
            else [action for permission in own[values["role_definition_id"]] for action in permission["actions"]]
        )
        for action in actions:
            yield Grant(names[values["principal_id"]], where, " ".join((values["condition"] or "").split()), action)
    for each in plan.all("azurerm_federated_identity_credential"):
        identity = each.values["user_assigned_identity_id"].rpartition("/")[2]
        yield Grant(identity, each.values["subject"], "", TRUSTS)


_GCP_NAMES = ("topic", "subscription", "bucket", "secret_id", "repository", "service_account_id", "name")


def _gcp(plan: Plan) -> Iterator[Grant]:
    own = {each.values["name"]: each.values["permissions"] for each in plan.all("google_project_iam_custom_role")}
    for each in plan.resources:
        if each.type.endswith("_iam_member"):
            who = each.values["member"].removeprefix("serviceAccount:")
            when = " and ".join(condition["expression"] for condition in each.values["condition"] or [])
            for what in own.get(each.values["role"], [each.values["role"]]):
                yield Grant(who, _gcp_where(each), when, what)


def _gcp_where(member: Resource) -> str:
    kind = member.type.removeprefix("google_").removesuffix("_iam_member").replace("_", " ")
    names = [member.values[name] for name in _GCP_NAMES if member.values.get(name)]
    return f"{kind} {names[0]}" if names else "the project"


def _condition(statement: dict[str, Any]) -> str:
    return json.dumps(statement["Condition"], sort_keys=True) if "Condition" in statement else ""


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
