# The dashboard: the business where the functions report it, how the functions do, then a row for each service's queue.
locals {
  _hour = { durationMs = 60 * 60 * 1000 }
  _bus  = "microsoft.servicebus/namespaces"

  # Metrics are named as in functions/shared/orderflow/metrics.py; AppMetrics has sum and count of a distribution
  # (learn.microsoft.com/azure/azure-monitor/reference/tables/appmetrics).
  _business = {
    "Orders"                      = "AppMetrics | where Name in (\"orderflow.orders.placed\", \"orderflow.orders.confirmed\", \"orderflow.orders.shipped\") | summarize sum(Sum) by bin(TimeGenerated, 5m), Name"
    "Cancelled, by reason"        = "AppMetrics | where Name == \"orderflow.orders.cancelled\" | summarize sum(Sum) by bin(TimeGenerated, 5m), Reason = tostring(Properties.reason)"
    "Revenue, minor units"        = "AppMetrics | where Name == \"orderflow.revenue\" | summarize sum(Sum) by bin(TimeGenerated, 5m), Currency = tostring(Properties.currency)"
    "Placed to shipped, mean (s)" = "AppMetrics | where Name == \"orderflow.order.time_to_ship\" | summarize sum(Sum) / sum(ItemCount) by bin(TimeGenerated, 5m)"
  }

  _functions = {
    "Executions by function" = "AppRequests | where AppRoleName in (${local._apps}) | summarize sum(ItemCount) by bin(TimeGenerated, 1m), AppRoleName"
    "Failures by function"   = "AppRequests | where AppRoleName in (${local._apps}) | where Success == false | summarize sum(ItemCount) by bin(TimeGenerated, 1m), AppRoleName"
    "95 % take at most (ms)" = "AppRequests | where AppRoleName in (${local._apps}) | summarize percentile(DurationMs, 95) by bin(TimeGenerated, 5m), AppRoleName"
  }

  _charts = flatten([
    for charts in [var.business_metrics ? local._business : {}, local._functions] : [
      for title, query in charts : {
        type        = 3
        name        = title
        customWidth = tostring(floor(100 / length(charts)))
        content = {
          version                 = "KqlItem/1.0"
          crossComponentResources = [azurerm_log_analytics_workspace.this.id]
          query                   = query
          queryType               = 0
          resourceType            = "microsoft.operationalinsights/workspaces"
          size                    = 0
          timeContext             = local._hour
          title                   = title
          visualization           = "timechart"
        }
      }
    ]
  ])

  _queue_rows = flatten([
    for service, queue in var.queues : [
      for title, chart in {
        "${service}: waiting"     = { entity = queue.name, metric = "ActiveMessages" }
        "${service}: crashed"     = { entity = queue.name, metric = "DeadletteredMessages" }
        "${service}: given up on" = { entity = coalesce(queue.dead_letter_name, queue.name), metric = queue.dead_letter_name == null ? "DeadletteredMessages" : "ActiveMessages" }
        } : {
        type        = 10
        name        = title
        customWidth = "33"
        content = {
          version      = "MetricsItem/2.0"
          chartId      = "workbook${uuidv5("url", "${var.name}/${title}")}"
          chartType    = 2
          filters      = [{ key = "EntityName", operator = 0, values = [chart.entity] }]
          metricScope  = 0
          metrics      = [{ namespace = local._bus, metric = "${local._bus}--${chart.metric}", aggregation = 3, splitBy = null }]
          resourceIds  = [var.namespace_id]
          resourceType = local._bus
          size         = 1
          timeContext  = local._hour
          title        = title
        }
      }
    ]
  ])
}

resource "azurerm_application_insights_workbook" "this" {
  # Must be a UUID: derived, so that it stays the same.
  name                = uuidv5("url", var.name)
  display_name        = var.name
  location            = var.location
  resource_group_name = var.resource_group_name
  source_id           = lower(azurerm_log_analytics_workspace.this.id)

  data_json = jsonencode({
    version = "Notebook/1.0"
    items   = concat(local._charts, local._queue_rows)
  })

  tags = var.tags
}
