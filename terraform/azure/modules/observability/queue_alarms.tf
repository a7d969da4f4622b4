# One alarm a queue and metric. Metrics and dimensions: learn.microsoft.com/azure/service-bus-messaging/monitor-service-bus-reference
# and learn.microsoft.com/azure/event-grid/monitor-push-reference.
locals {
  # Windows that a metric alert may look at, in seconds.
  windows = { 60 = "PT1M", 300 = "PT5M", 900 = "PT15M", 1800 = "PT30M", 3600 = "PT1H", 21600 = "PT6H", 43200 = "PT12H", 86400 = "P1D" }

  queue_alarms = merge([
    for service, queue in var.queues : merge(
      queue.dead_letter_name == null ? {} : {
        "${service}-dead-letters" = {
          aggregation = "Maximum"
          description = "${service} gave up on messages. Look at them, mend the cause, redrive. Runbook: docs/runbooks/dead-letters.md"
          dimension   = "EntityName"
          metric      = "ActiveMessages"
          namespace   = "Microsoft.ServiceBus/namespaces"
          scope       = var.namespace_id
          value       = queue.dead_letter_name
          window      = "PT5M"
        }
      },
      {
        "${service}-crashes" = {
          aggregation = "Maximum"
          description = "Service Bus gave up on messages of ${service}: it crashed or ran out of time again and again. Runbook: docs/runbooks/crashes.md"
          dimension   = "EntityName"
          metric      = "DeadletteredMessages"
          namespace   = "Microsoft.ServiceBus/namespaces"
          scope       = var.namespace_id
          value       = queue.name
          window      = "PT5M"
        }
        # Service Bus does not tell the age of a message; but one that is too old keeps its queue from being empty.
        "${service}-oldest-message" = {
          aggregation = "Minimum"
          description = "The queue of ${service} has not been empty for ${queue.oldest_seconds} seconds: messages wait too long. Runbook: docs/runbooks/oldest-message.md"
          dimension   = "EntityName"
          metric      = "ActiveMessages"
          namespace   = "Microsoft.ServiceBus/namespaces"
          scope       = var.namespace_id
          value       = queue.name
          window      = local.windows[min([for seconds in keys(local.windows) : tonumber(seconds) if tonumber(seconds) >= queue.oldest_seconds]...)]
        }
      },
      queue.subscription == null ? {} : {
        "${service}-undelivered" = {
          aggregation = "Total"
          description = "Event Grid could not deliver events to the queue of ${service}; they are in the container event-dead-letters. Runbook: docs/runbooks/undelivered.md"
          dimension   = "EventSubscriptionName"
          metric      = "DeadLetteredCount"
          namespace   = "Microsoft.EventGrid/topics"
          scope       = var.topic_id
          value       = queue.subscription
          window      = "PT5M"
        }
      },
    )
  ]...)
}

resource "azurerm_monitor_metric_alert" "queue" {
  for_each = local.queue_alarms

  name                = "${var.name}-${each.key}"
  description         = each.value.description
  resource_group_name = var.resource_group_name

  frequency   = "PT1M"
  scopes      = [each.value.scope]
  severity    = 1
  window_size = each.value.window

  criteria {
    aggregation      = each.value.aggregation
    metric_name      = each.value.metric
    metric_namespace = each.value.namespace
    operator         = "GreaterThan"
    threshold        = 0

    dimension {
      name     = each.value.dimension
      operator = "Include"
      values   = [each.value.value]
    }
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }

  tags = var.tags
}
