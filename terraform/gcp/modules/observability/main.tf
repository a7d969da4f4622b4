resource "google_monitoring_notification_channel" "email" {
  project      = var.project
  display_name = "${var.name} alarms"
  type         = "email"
  labels       = { email_address = var.alarm_email }
}

locals {
  # Alarms of every service: more than one answer in a hundred an error, one in twenty slower than this.
  error_ratio = 0.01
  p95_ms      = 5000

  # The metrics are those of cloud.google.com/monitoring/api/metrics_gcp_p_z. A subscription's name is the last part of its id.
  run = { for service, name in var.functions : service => "resource.type = \"cloud_run_revision\" AND resource.labels.service_name = \"${name}\"" }
  sub = {
    for service, id in merge(var.queues, { for name, sink in var.sinks : name => sink.id }) :
    service => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${basename(id)}\""
  }
  dlq = { for service, id in var.dead_letter_queues : service => "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${basename(id)}\"" }

  # Answers of 5xx are what went wrong: a message that is given back on purpose gets 429 (orderflow_gcp/entrypoints.py).
  errors = {
    for service, run in local.run : "${service}-errors" => {
      about       = "More than one in a hundred requests of ${service} failed within five minutes. Look at the function's log for lines of severity ERROR. Runbook: docs/runbooks/errors.md"
      aligner     = "ALIGN_DELTA"
      denominator = "${run} AND metric.type = \"run.googleapis.com/request_count\""
      filter      = "${run} AND metric.type = \"run.googleapis.com/request_count\" AND metric.labels.response_code_class = \"5xx\""
      group_by    = ["resource.label.service_name"]
      period      = "300s"
      reducer     = "REDUCE_SUM"
      severity    = "ERROR"
      threshold   = local.error_ratio
    }
  }
  latencies = {
    for service, run in local.run : "${service}-p95" => {
      about       = "One request of ${service} in twenty takes longer than ${local.p95_ms / 1000} seconds. Runbook: docs/runbooks/slow.md"
      aligner     = "ALIGN_DELTA"
      denominator = null
      filter      = "${run} AND metric.type = \"run.googleapis.com/request_latencies\""
      group_by    = ["resource.label.service_name"]
      period      = "300s"
      reducer     = "REDUCE_PERCENTILE_95"
      severity    = "WARNING"
      threshold   = local.p95_ms
    }
  }
  dead_letters = {
    for service, dlq in local.dlq : "${service}-dead-letters" => {
      about       = "Service ${service} has given messages up. `orderflow dlq` shows them with their reason and sends them again. Runbook: docs/runbooks/dead-letters.md"
      aligner     = "ALIGN_MAX"
      denominator = null
      filter      = "${dlq} AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      group_by    = ["resource.label.subscription_id"]
      period      = "60s"
      reducer     = "REDUCE_MAX"
      severity    = "ERROR"
      threshold   = 0
    }
  }
  # A sink's batch may wait: twice that is too long.
  oldest_s = merge(
    { for service, declared in var.services : service => declared.limits.oldest_message_alarm_s if contains(keys(var.queues), service) },
    { for service, sink in var.sinks : service => 2 * sink.every_s },
  )
  oldest = {
    for service, seconds in local.oldest_s : "${service}-oldest" => {
      about       = "A message waits for ${service} for more than ${seconds} seconds: it fails again and again, or there are more messages than its instances can take. Runbook: docs/runbooks/${contains(keys(var.sinks), service) ? "archive-late" : "oldest-message"}.md"
      aligner     = "ALIGN_MAX"
      denominator = null
      filter      = "${local.sub[service]} AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      group_by    = ["resource.label.subscription_id"]
      period      = "60s"
      reducer     = "REDUCE_MAX"
      severity    = "WARNING"
      threshold   = seconds
    }
  }
}

resource "google_monitoring_alert_policy" "threshold" {
  for_each = merge(local.errors, local.latencies, local.dead_letters, local.oldest)

  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = each.key

    condition_threshold {
      comparison         = "COMPARISON_GT"
      denominator_filter = each.value.denominator
      duration           = "0s"
      filter             = each.value.filter
      threshold_value    = each.value.threshold

      aggregations {
        alignment_period     = each.value.period
        cross_series_reducer = each.value.reducer
        group_by_fields      = each.value.group_by
        per_series_aligner   = each.value.aligner
      }

      dynamic "denominator_aggregations" {
        for_each = each.value.denominator == null ? [] : [each.value.denominator]

        content {
          alignment_period     = each.value.period
          cross_series_reducer = each.value.reducer
          group_by_fields      = each.value.group_by
          per_series_aligner   = each.value.aligner
        }
      }
    }
  }

  documentation {
    content = each.value.about
  }
}
