"""The figures of the deploy guides are those of the plans."""

from __future__ import annotations

import re

from terraform.plan import Plan
from terraform.stacks import REPOSITORY

ALARMS = {
    "aws": ("aws_cloudwatch_metric_alarm", "| {} alarms"),
    "azure": ("azurerm_monitor_metric_alert", "| {} and 5 |"),
    "gcp": ("google_monitoring_alert_policy", "| alert policies, by condition | {} |"),
}


def guide(cloud: str) -> str:
    return (REPOSITORY / "docs" / "deploy" / f"{cloud}.md").read_text()


def test_the_guide_says_how_many_resources_the_plan_of_dev_creates(cloud: str, plan: Plan) -> None:
    """Without those for GitHub and for secrets, which the tfvars do not ask for."""
    made = [each for each in plan.resources if not re.search(r"^module\.ci\.|secret(?!manager)", each.address)]

    assert re.findall(r"The plan of dev creates (\d+) resources", guide(cloud)) == [str(len(made))]


def test_the_guide_says_how_many_alarms_are_paid_for(cloud: str, plan: Plan) -> None:
    kind, words = ALARMS[cloud]

    assert words.format(len(plan.all(kind))) in guide(cloud)
