# A timer is part of its function (function_app.py); nobody but a watcher would notice that it stopped.
locals {
  # Windows that an alert may look at, in minutes.
  windows = { 5 = "PT5M", 10 = "PT10M", 15 = "PT15M", 30 = "PT30M", 60 = "PT1H", 120 = "PT2H", 180 = "PT3H" }

  # The shortest that five runs fit into.
  minutes = {
    for service, timer in var.timers : service => min([
      for minutes in keys(local.windows) : tonumber(minutes) if tonumber(minutes) * 60 >= timer.every_seconds * 5
    ]...)
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "missed" {
  for_each = var.timers

  name                = "${var.name}-${each.key}-missed"
  description         = "${each.key} did not run in five of its intervals: nothing is swept up or archived meanwhile. Runbook: docs/runbooks/not-run.md"
  location            = var.location
  resource_group_name = var.resource_group_name

  auto_mitigation_enabled = true
  evaluation_frequency    = "PT5M"
  scopes                  = [var.workspace_id]
  severity                = 1
  window_duration         = local.windows[local.minutes[each.key]]

  criteria {
    metric_measure_column   = "runs"
    operator                = "LessThan"
    query                   = <<-KQL
      AppRequests
      | where AppRoleName == "${each.value.function_name}"
      | summarize runs = count()
    KQL
    threshold               = 1
    time_aggregation_method = "Maximum"

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [var.action_group_id]
  }

  tags = var.tags
}
