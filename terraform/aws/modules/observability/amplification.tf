# How much work one accepted order makes. Counted from log lines: an alarm on metric math takes ten metrics at most
# (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-limits.html), there are more consumers than that, and
# filters of many log groups can add to one metric. Lines below the level INFO are needed.
locals {
  log_metrics = {
    OrdersAccepted = "{ $.method = \"POST\" && $.path = \"/orders\" && $.status = 202 }"
    Deliveries     = "{ $.transport_id = \"*\" }"
    Executions     = "{ $.type = \"platform.report\" }"
  }

  counted = merge([
    for service in keys(local.consumers) : {
      for metric in ["Deliveries", "Executions"] : "${service}-${metric}" => { service = service, metric = metric }
    }
  ]...)

  # An order takes each consumer through each kind of event that it hears about once, and has each kind published about
  # once: twice that means that something goes round in a circle.
  kinds_heard   = sum(values(local.consumers)[*].hears)
  kinds_emitted = sum(values(var.functions)[*].emits)

  amplification = {
    deliveries = {
      dimensions  = {}
      metric_name = "Deliveries"
      namespace   = var.name
      threshold   = 2 * local.kinds_heard
    }
    executions = {
      dimensions  = {}
      metric_name = "Executions"
      namespace   = var.name
      threshold   = 2 * local.kinds_heard
    }
    publishes = {
      dimensions  = { TopicName = var.topic_name }
      metric_name = "NumberOfMessagesPublished"
      namespace   = "AWS/SNS"
      threshold   = 2 * local.kinds_emitted
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "accepted" {
  name           = "OrdersAccepted"
  log_group_name = aws_cloudwatch_log_group.api.name
  pattern        = local.log_metrics.OrdersAccepted

  metric_transformation {
    name          = "OrdersAccepted"
    namespace     = var.name
    default_value = "0"
    value         = "1"
  }
}

resource "aws_cloudwatch_log_metric_filter" "work" {
  for_each = local.counted

  name           = each.value.metric
  log_group_name = aws_cloudwatch_log_group.function[each.value.service].name
  pattern        = local.log_metrics[each.value.metric]

  metric_transformation {
    name          = each.value.metric
    namespace     = var.name
    default_value = "0"
    value         = "1"
  }
}

# Two hours in a row, because the work of a full hour's last orders is done in the next one. An hour without orders counts as
# one with one order: work that goes round needs no new orders (metric math:
# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html).
resource "aws_cloudwatch_metric_alarm" "amplification" {
  for_each = local.amplification

  alarm_name          = "${var.name}-amplification-${each.key}"
  alarm_description   = "An accepted order makes more than ${each.value.threshold} ${each.key}: something may go round in a circle. Runbook: docs/runbooks/amplification.md"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "ratio"
    expression  = "work / MAX([FILL(orders, 0), TIME_SERIES(1)])"
    label       = "${each.key} per accepted order"
    return_data = true
  }

  metric_query {
    id = "work"

    metric {
      dimensions  = each.value.dimensions
      metric_name = each.value.metric_name
      namespace   = each.value.namespace
      period      = 3600
      stat        = "Sum"
    }
  }

  metric_query {
    id = "orders"

    metric {
      metric_name = "OrdersAccepted"
      namespace   = var.name
      period      = 3600
      stat        = "Sum"
    }
  }

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
