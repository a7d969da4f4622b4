"""Who may do what on what: equal to the tables in ``golden/``, which people review, and nowhere more than it must be.

To write the tables anew: ``UPDATE_GOLDEN=1 make test ARGS=tests/terraform/test_permissions.py``. Then review the
difference."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from terraform import permissions
from terraform.permissions import Grant
from terraform.plan import Plan
from terraform.stacks import Stacks

GOLDEN = Path(__file__).parent / "golden"

AWS_ON_EVERYTHING = {
    # These take no resource: docs.aws.amazon.com/service-authorization/latest/reference, the pages list_awsx-ray.html,
    # list_awskeymanagementservice.html and list_amazoncloudwatchlogs.html.
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "kms:ListAliases",
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:UpdateLogDelivery",
}
AWS_WITHIN = ("/*", ":log-stream:*", "-??????")
"""Ends of names that AWS or the service gives: objects of a bucket, streams of a log group, and what Secrets Manager
adds to a secret's name."""

AZURE_TOO_MUCH = {"Owner", "Contributor", "User Access Administrator", "Role Based Access Control Administrator"}

GCP_ON_THE_PROJECT = {
    # Logs are written to a project: there is nothing smaller (cloud.google.com/logging/docs/access-control).
    ("orderflow-dev-image-build", "roles/logging.logWriter"),
}
GCP_BASIC = {"roles/owner", "roles/editor", "roles/viewer"}


def test_the_permissions_are_those_that_were_reviewed(cloud: str, plan: Plan) -> None:
    found = permissions.table(permissions.grants(cloud, plan))
    golden = GOLDEN / f"iam-{cloud}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(found)

    assert found.splitlines() == golden.read_text().splitlines(), "if it is meant: see the top of this file"


def test_every_function_has_an_identity_of_its_own(cloud: str, plan: Plan, topology: dict[str, Any]) -> None:
    running = {name for name, each in topology["services"].items() if each["trigger"] != "sink"}

    identities = _identities(cloud, plan)

    assert identities.keys() >= running
    assert len(set(identities.values())) == len(identities)
    assert {f"orderflow-dev-{name}" for name in running} <= set(identities.values())


class TestAws:
    @pytest.fixture
    def grants(self, stacks: Stacks) -> list[Grant]:
        return permissions.grants("aws", stacks.plan("aws"))

    def test_no_action_is_a_pattern(self, grants: list[Grant]) -> None:
        assert not [grant for grant in grants if "*" in grant.what]

    def test_nothing_is_allowed_on_everything_but_what_takes_no_resource(self, grants: list[Grant]) -> None:
        assert {grant.what for grant in grants if grant.where == "*"} == AWS_ON_EVERYTHING

    def test_a_function_reaches_only_what_is_named(self, grants: list[Grant]) -> None:
        patterns = [grant for grant in grants if set("*?") & set(grant.where) and "-ci-" not in grant.who]

        assert not [grant for grant in patterns if grant.where != "*" and not grant.where.endswith(AWS_WITHIN)]

    def test_every_role_that_ci_can_make_stays_within_the_boundary(self, stacks: Stacks) -> None:
        made = [each.values for each in stacks.plan("aws").all("aws_iam_role") if "-ci-" not in each.values["name"]]

        assert made
        assert {role["permissions_boundary"] for role in made} == {
            "arn:aws:iam::123456789012:policy/orderflow-dev-boundary"
        }


class TestAzure:
    @pytest.fixture
    def grants(self, stacks: Stacks) -> list[Grant]:
        return permissions.grants("azure", stacks.plan("azure"))

    def test_only_ci_may_do_anything_to_the_whole_resource_group(self, grants: list[Grant]) -> None:
        assert {grant.who for grant in grants if grant.where == "the resource group"} == {
            "orderflow-dev-ci-apply",
            "orderflow-dev-ci-plan",
        }

    def test_no_function_has_a_role_that_manages(self, grants: list[Grant]) -> None:
        assert {grant.who for grant in grants if grant.what in AZURE_TOO_MUCH} == {"orderflow-dev-ci-apply"}

    def test_no_action_is_a_pattern(self, grants: list[Grant]) -> None:
        assert not [grant for grant in grants if "*" in grant.what]


class TestGcp:
    @pytest.fixture
    def grants(self, stacks: Stacks) -> list[Grant]:
        return permissions.grants("gcp", stacks.plan("gcp"))

    def test_only_ci_may_do_anything_to_the_whole_project(self, grants: list[Grant]) -> None:
        wide = [grant for grant in grants if grant.where == "the project" and not grant.when]

        assert {
            (grant.who.split("@")[0], grant.what) for grant in wide if "-ci-" not in grant.who
        } == GCP_ON_THE_PROJECT

    def test_nobody_has_a_basic_role(self, grants: list[Grant]) -> None:
        """cloud.google.com/iam/docs/roles-overview#basic: thousands of permissions each."""
        assert not [grant for grant in grants if grant.what in GCP_BASIC]

    def test_everybody_may_call_the_api_and_nothing_else(self, grants: list[Grant]) -> None:
        public = [grant for grant in grants if grant.who.startswith("all")]

        assert [(grant.where, grant.what) for grant in public] == [
            ("cloud run v2 service orderflow-dev-api", "roles/run.invoker")
        ]


def _identities(cloud: str, plan: Plan) -> dict[str, str]:
    """The name of what each function acts as, by service."""
    if cloud == "aws":
        roles = plan.by_key("aws_lambda_function")
        return {service: each["role"].rpartition("/")[2] for service, each in roles.items()}
    if cloud == "azure":
        apps = plan.by_key("azurerm_function_app_flex_consumption")
        return {service: each["identity"][0]["identity_ids"][0].rpartition("/")[2] for service, each in apps.items()}
    functions = plan.by_key("google_cloudfunctions2_function")
    accounts = {
        service: each["service_config"][0]["service_account_email"].split("@") for service, each in functions.items()
    }
    assert {domain for _, domain in accounts.values()} == {"acme-orders.iam.gserviceaccount.com"}
    return {service: name for service, (name, _) in accounts.items()}
