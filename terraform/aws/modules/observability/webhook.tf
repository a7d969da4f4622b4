# What the gateway tells by itself (functions/shared/orderflow/webhooks.py) is a log line and nothing else: no call
# fails, so no other alarm rings. It clears by itself, which says nothing about the money: no mail then.
locals {
  told = "{ $.message = \"refund-failed\" || $.message = \"dispute-opened\" }"
}

resource "aws_cloudwatch_log_metric_filter" "told" {
  for_each = var.webhooks

  name           = "RefundsAndDisputes"
  log_group_name = aws_cloudwatch_log_group.function[each.value].name
  pattern        = local.told

  metric_transformation {
    name          = "RefundsAndDisputes"
    namespace     = var.name
    default_value = "0"
    value         = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "told" {
  for_each = var.webhooks

  alarm_name          = "${var.name}-refunds-and-disputes"
  alarm_description   = "The gateway told that a refund failed after all, or that a customer disputes a charge: ${each.key}'s log names the order. Runbook: docs/runbooks/refunds-and-disputes.md"
  namespace           = var.name
  metric_name         = "RefundsAndDisputes"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
}
