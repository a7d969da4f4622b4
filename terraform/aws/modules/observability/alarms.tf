resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.dead_letter_names

  alarm_name          = "${each.value}-not-empty"
  alarm_description   = "${each.key} gave up on a message. Its reason is with it: orderflow dlq list. Runbook: docs/runbooks/dead-letters.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each = local.queues

  alarm_name          = "${local.queue_names[each.key]}-oldest-message"
  alarm_description   = "A message has waited for ${each.key} for more than ${each.value.oldest_message_alarm_s} s. Runbook: docs/runbooks/oldest-message.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = local.queue_names[each.key] }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.oldest_message_alarm_s
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.function_names

  alarm_name          = "${each.value}-errors"
  alarm_description   = "More than 1 % of the calls of ${each.key} failed within 5 minutes. Runbook: docs/runbooks/errors.md"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "rate"
    expression  = "100 * errors / calls"
    label       = "errors in %"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      dimensions  = { FunctionName = each.value }
      metric_name = "Errors"
      namespace   = "AWS/Lambda"
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id = "calls"

    metric {
      dimensions  = { FunctionName = each.value }
      metric_name = "Invocations"
      namespace   = "AWS/Lambda"
      period      = 300
      stat        = "Sum"
    }
  }

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  for_each = local.function_names

  alarm_name                            = "${each.value}-duration"
  alarm_description                     = "One in twenty calls of ${each.key} took more than 5 s. Runbook: docs/runbooks/slow.md"
  namespace                             = "AWS/Lambda"
  metric_name                           = "Duration"
  dimensions                            = { FunctionName = each.value }
  extended_statistic                    = "p95"
  evaluate_low_sample_count_percentiles = "ignore"
  period                                = 300
  evaluation_periods                    = 1
  comparison_operator                   = "GreaterThanThreshold"
  threshold                             = 5000
  treat_missing_data                    = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each = local.function_names

  alarm_name          = "${each.value}-throttles"
  alarm_description   = "${each.key} was not allowed to run: the account's or its own concurrency is used up. Runbook: docs/runbooks/throttles.md"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "recursion" {
  for_each = local.function_names

  alarm_name          = "${each.value}-recursion"
  alarm_description   = "Lambda stopped a chain of calls at ${each.key}, taking it for a loop. Runbook: docs/runbooks/amplification.md"
  namespace           = "AWS/Lambda"
  metric_name         = "RecursiveInvocationsDropped"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

# Nothing else tells that a schedule does not run.
resource "aws_cloudwatch_metric_alarm" "not_run" {
  for_each = local.schedules

  alarm_name          = "${local.function_names[each.key]}-not-run"
  alarm_description   = "${each.key} has not run for five times as long as between two runs. Runbook: docs/runbooks/not-run.md"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = local.function_names[each.key] }
  statistic           = "Sum"
  period              = min(5 * each.value.every_s, 24 * 60 * 60)
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

# The function answers 500 itself: such an error is none of Lambda's.
resource "aws_cloudwatch_metric_alarm" "api_errors" {
  alarm_name          = "${var.name}-api-5xx"
  alarm_description   = "More than 1 % of the API's answers within 5 minutes were 5xx. Runbook: docs/runbooks/errors.md"
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "rate"
    expression  = "100 * errors / calls"
    label       = "5xx in %"
    return_data = true
  }

  metric_query {
    id = "errors"

    metric {
      dimensions  = { ApiId = var.api_id }
      metric_name = "5xx"
      namespace   = "AWS/ApiGateway"
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id = "calls"

    metric {
      dimensions  = { ApiId = var.api_id }
      metric_name = "Count"
      namespace   = "AWS/ApiGateway"
      period      = 300
      stat        = "Sum"
    }
  }

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "sink_age" {
  for_each = var.sinks

  alarm_name          = "${local.stream_names[each.key]}-freshness"
  alarm_description   = "An event has waited for ${each.key} for more than three times as long as it should. Runbook: docs/runbooks/archive-late.md"
  namespace           = "AWS/Firehose"
  metric_name         = "DeliveryToS3.DataFreshness"
  dimensions          = { DeliveryStreamName = local.stream_names[each.key] }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3 * max(60, each.value.every_s)
  treat_missing_data  = "notBreaching"

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}
