"""The figures of the deploy guides are those of the plans. ``make golden`` writes them anew."""

from __future__ import annotations

import os
import re

from terraform.plan import Plan
from terraform.stacks import REPOSITORY

ALARMS = {
    "aws": ("aws_cloudwatch_metric_alarm", "| {} alarms"),
    "azure": ("azurerm_monitor_metric_alert", "| {} and 5 |"),
    "gcp": ("google_monitoring_alert_policy", "| alert policies, by condition | {} |"),
}


RESOURCES = "The plan of dev creates {} resources"


def said(cloud: str, words: str, figure: int) -> str:
    """The figure that the guide has in the place of ``{}`` of these words; first put right where that is asked for."""
    place = re.compile(re.escape(words).replace(re.escape("{}"), r"(\d+)"))
    path = REPOSITORY / "docs" / "deploy" / f"{cloud}.md"
    text = path.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN") == "1":
        text = place.sub(words.format(figure), text)
        path.write_text(text, encoding="utf-8")
    [found] = place.findall(text)
    return str(found)


def test_the_guide_says_how_many_resources_the_plan_of_dev_creates(cloud: str, plan: Plan) -> None:
    """Without those for GitHub and for secrets, which the tfvars do not ask for."""
    made = [each for each in plan.resources if not re.search(r"^module\.ci\.|secret(?!manager)", each.address)]

    assert said(cloud, RESOURCES, len(made)) == str(len(made))


def test_the_guide_says_how_many_alarms_are_paid_for(cloud: str, plan: Plan) -> None:
    kind, words = ALARMS[cloud]
    alarms = len(plan.all(kind))

    assert said(cloud, words, alarms) == str(alarms)
