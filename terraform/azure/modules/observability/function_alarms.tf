# What the functions report. One rule for all of them, which splits by app and so alarms for each: a rule is paid for by
# the month. An execution is a request in the workspace (learn.microsoft.com/azure/azure-monitor/reference/tables/apprequests).
locals {
  apps  = sort(values(var.functions))
  _apps = join(", ", [for app in local.apps : "\"${app}\""])

  # One order makes each kind of event about once, and each is handed to all who hear it. More deliveries, executions or
  # publications than there are kinds to hear or to publish mean that something goes round and round.
  deliveries_per_order   = length(flatten(values(var.hears)))
  executions_per_order   = local.deliveries_per_order + length(local.apps)
  publications_per_order = length(distinct(flatten(values(var.hears))))

  function_alarms = {
    errors = {
      by          = ["AppRoleName"]
      description = "More than 1 % of a function's executions failed. A request that is turned down is no failure. Runbook: docs/runbooks/errors.md"
      measure     = "failed_percent"
      query       = <<-KQL
        AppRequests
        | where AppRoleName in (${local._apps})
        | summarize failed = sumif(ItemCount, Success == false and ResultCode !startswith "4"), total = sum(ItemCount) by AppRoleName
        | project AppRoleName, failed_percent = 100.0 * failed / total
      KQL
      severity    = 1
      threshold   = 1
      window      = "PT5M"
    }
    slow = {
      by          = ["AppRoleName"]
      description = "The slowest 5 % of a function's executions took more than 5 seconds. Runbook: docs/runbooks/slow.md"
      measure     = "p95_ms"
      query       = <<-KQL
        AppRequests
        | where AppRoleName in (${local._apps})
        | summarize p95_ms = percentile(DurationMs, 95) by AppRoleName
      KQL
      severity    = 2
      threshold   = 5000
      window      = "PT5M"
    }
    amplification = {
      by          = ["Figure"]
      description = "An accepted order causes more than its share of executions, deliveries or publications (the figure is 1 at the most that one order can cause). Runbook: docs/runbooks/amplification.md"
      measure     = "share"
      query       = <<-KQL
        let orders = toscalar(AppRequests | where AppRoleName in (${join(", ", [for app in sort(var.doors) : "\"${app}\""])}) and ResultCode == "202" | summarize sum(ItemCount));
        let executions = AppRequests | where AppRoleName in (${local._apps}) | summarize total = todouble(sum(ItemCount)) | extend Figure = "executions", most = ${local.executions_per_order};
        let deliveries = AzureMetrics | where MetricName == "OutgoingMessages" | summarize total = todouble(sum(Total)) | extend Figure = "deliveries", most = ${local.deliveries_per_order};
        let publications = AzureMetrics | where MetricName == "PublishSuccessCount" | summarize total = todouble(sum(Total)) | extend Figure = "publications", most = ${local.publications_per_order};
        union executions, deliveries, publications
        | where orders > 0
        | project Figure, share = total / orders / most
      KQL
      severity    = 2
      threshold   = 1
      window      = "PT1H"
    }
  }
}

# What the gateway tells by itself (functions/shared/orderflow/webhooks.py) is a log line and nothing else: no
# execution fails. Each alert stays until somebody closes it, because no later line says that the money is there.
locals {
  told_alarms = length(var.webhooks) == 0 ? {} : {
    refunds-and-disputes = {
      by          = ["Fact"]
      description = "The gateway told that a refund failed after all, or that a customer disputes a charge: the API's log names the order. Runbook: docs/runbooks/refunds-and-disputes.md"
      measure     = "lines"
      query       = <<-KQL
        AppTraces
        | where AppRoleName in (${join(", ", [for app in sort(var.webhooks) : "\"${app}\""])})
        | extend Fact = tostring(parse_json(Message).message)
        | where Fact in ("refund-failed", "dispute-opened")
        | summarize lines = sum(ItemCount) by Fact
      KQL
      severity    = 1
      threshold   = 0
      window      = "PT5M"
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "functions" {
  for_each = merge(local.function_alarms, local.told_alarms)

  name                = "${var.name}-${each.key}"
  description         = each.value.description
  location            = var.location
  resource_group_name = var.resource_group_name

  auto_mitigation_enabled = !contains(keys(local.told_alarms), each.key)
  evaluation_frequency    = "PT5M"
  scopes                  = [azurerm_log_analytics_workspace.this.id]
  severity                = each.value.severity
  window_duration         = each.value.window

  criteria {
    metric_measure_column   = each.value.measure
    operator                = "GreaterThan"
    query                   = each.value.query
    threshold               = each.value.threshold
    time_aggregation_method = "Maximum"

    dynamic "dimension" {
      for_each = each.value.by

      content {
        name     = dimension.value
        operator = "Include"
        values   = ["*"]
      }
    }

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.this.id]
  }

  tags = var.tags
}
