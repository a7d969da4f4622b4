# Alarms that compare metrics of different kinds, or that rest on log lines, are PromQL: a threshold condition divides one
# metric only, and is refused while a log-based metric has not been seen yet (disable_metric_validation).

locals {
  orders_metric    = "${replace(var.name, "-", "_")}_orders_accepted"
  throttles_metric = "${replace(var.name, "-", "_")}_throttles"
  told_metric      = "${replace(var.name, "-", "_")}_refunds_and_disputes"

  http     = { for service, name in var.functions : service => name if var.services[service].trigger == "http" }
  consumer = { for service, name in var.functions : service => name if var.services[service].trigger == "queue" }

  # In an order's story each kind of event is published at most once and reaches each of its hearers at most once. No story
  # has all kinds (an order is shipped or cancelled), which leaves room for its notifications, one a channel.
  deliveries_most = sum([for service in values(var.services) : length(service.hears)])
  publishes_most  = length(distinct(flatten([for service in values(var.services) : service.emits])))

  accepted = "sum(increase(logging_googleapis_com:user_${local.orders_metric}{monitored_resource=\"cloud_run_revision\"}[1h]))"
  amplification = {
    deliveries = {
      count = "pubsub_googleapis_com:subscription_push_request_count{monitored_resource=\"pubsub_subscription\",subscription_id=~\"${join("|", [for name in keys(local.consumer) : basename(var.queues[name])])}\"}"
      most  = local.deliveries_most
    }
    executions = {
      count = "run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=~\"${join("|", values(local.consumer))}\"}"
      most  = local.deliveries_most
    }
    publishes = {
      count = "pubsub_googleapis_com:topic_message_sizes_count{monitored_resource=\"pubsub_topic\",topic_id=\"${var.topic}\"}"
      most  = local.publishes_most
    }
  }

  queries = merge(
    {
      for service, name in var.functions : "${service}-throttles" => {
        about = "Requests of ${service} were turned away because all its instances were busy. Pub/Sub delivers them again; if it lasts, raise the service's max_concurrency. Runbook: docs/runbooks/throttles.md"
        query = "sum(increase(logging_googleapis_com:user_${local.throttles_metric}{monitored_resource=\"cloud_run_revision\",service_name=\"${name}\"}[5m])) > 0"
      }
    },
    {
      for what, measure in local.amplification : "amplification-${what}" => {
        about = "More than ${measure.most} ${what} per accepted order within an hour: messages are delivered, or events published, again and again. Look for retries by reason in the logs. Runbook: docs/runbooks/amplification.md"
        query = "sum(increase(${measure.count}[1h])) / (${local.accepted} > 0) > ${measure.most}"
      }
    },
    # Nothing fails where the gateway tells things by itself (functions/shared/orderflow/webhooks.py): a log line is all.
    {
      for service in var.webhooks : "refunds-and-disputes" => {
        about = "The gateway told that a refund failed after all, or that a customer disputes a charge: the log of ${service} names the order. Runbook: docs/runbooks/refunds-and-disputes.md"
        query = "sum(increase(logging_googleapis_com:user_${local.told_metric}{monitored_resource=\"cloud_run_revision\"}[5m])) > 0"
      }
    },
  )
}

# User-defined metrics count what the _Default log bucket excludes, too (cloud.google.com/logging/docs/logs-based-metrics).
resource "google_logging_metric" "orders_accepted" {
  project     = var.project
  name        = local.orders_metric
  description = "Orders that the HTTP API accepted"
  filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = (${join(" OR ", [for name in values(local.http) : "\"${name}\""])})",
    "httpRequest.requestMethod = \"POST\"",
    "httpRequest.requestUrl =~ \"/orders$\"",
    "httpRequest.status = 202",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# Cloud Run answers 429 where no instance is free, as our functions do where they give a message back: only the text of
# the platform's log entry tells them apart (cloud.google.com/run/docs/troubleshooting#abort-request).
resource "google_logging_metric" "throttles" {
  project     = var.project
  name        = local.throttles_metric
  description = "Requests that found no free instance"
  filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = (${join(" OR ", [for name in values(var.functions) : "\"${name}\""])})",
    "textPayload : \"no available instance\"",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# A log-based alert would not see these lines: it does not look at what _Default excludes
# (docs.cloud.google.com/logging/docs/alerting/log-based-alerts).
resource "google_logging_metric" "told" {
  for_each = var.webhooks

  project     = var.project
  name        = local.told_metric
  description = "Refunds that failed after all, and disputes, as the gateway told of them"
  filter = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = \"${var.functions[each.value]}\"",
    "jsonPayload.message = (\"refund-failed\" OR \"dispute-opened\")",
  ])

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_alert_policy" "query" {
  for_each = local.queries

  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = each.key

    condition_prometheus_query_language {
      disable_metric_validation = true
      duration                  = "0s"
      evaluation_interval       = "60s"
      query                     = each.value.query
    }
  }

  documentation {
    content = each.value.about
  }

  depends_on = [google_logging_metric.orders_accepted, google_logging_metric.throttles, google_logging_metric.told]
}
