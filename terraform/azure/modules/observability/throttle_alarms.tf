locals {
  throttle_alarms = merge(
    {
      bus = {
        description = "Service Bus turned requests away. Runbook: docs/runbooks/throttles.md"
        dimensions  = {}
        metric      = "ThrottledRequests"
        namespace   = "Microsoft.ServiceBus/namespaces"
        scope       = var.namespace_id
      }
      topic = {
        description = "Event Grid did not take events; they are published again later. Runbook: docs/runbooks/throttles.md"
        dimensions  = {}
        metric      = "PublishFailCount"
        namespace   = "Microsoft.EventGrid/topics"
        scope       = var.topic_id
      }
    },
    {
      # learn.microsoft.com/azure/storage/common/monitor-storage-reference#metrics-dimensions
      for account, id in var.storage_account_ids : account => {
        description = "The storage account turned requests away. Runbook: docs/runbooks/throttles.md"
        dimensions  = { ResponseType = ["ClientAccountBandwidthThrottlingError", "ClientAccountRequestThrottlingError", "ClientThrottlingError", "ServerBusyError"] }
        metric      = "Transactions"
        namespace   = "Microsoft.Storage/storageAccounts"
        scope       = id
      }
    },
  )
}

resource "azurerm_monitor_metric_alert" "throttle" {
  for_each = local.throttle_alarms

  name                = "${var.name}-${each.key}-throttles"
  description         = each.value.description
  resource_group_name = var.resource_group_name

  frequency   = "PT1M"
  scopes      = [each.value.scope]
  severity    = 2
  window_size = "PT5M"

  criteria {
    aggregation      = "Total"
    metric_name      = each.value.metric
    metric_namespace = each.value.namespace
    operator         = "GreaterThan"
    threshold        = 0

    dynamic "dimension" {
      for_each = each.value.dimensions

      content {
        name     = dimension.key
        operator = "Include"
        values   = dimension.value
      }
    }
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }

  tags = var.tags
}
