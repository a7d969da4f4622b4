# Alarms: that each threshold is the one that was asked for.

mock_provider "aws" {}

variables {
  alarm_email         = "alarms@example.com"
  api_id              = "a1b2c3"
  business_metrics    = false
  deletion_protection = false
  log_retention_days  = 30
  name                = "orders-dev"
  sinks               = { archive = { every_s = 300 } }
  topic_name          = "orders-dev-events"
  webhooks            = []
  scope = {
    account_id = "123456789012"
    partition  = "aws"
    region     = "eu-west-1"
  }
  functions = {
    payment = { emits = 4, hears = 2, oldest_message_alarm_s = 300, trigger = "queue" }
    ledger  = { emits = 1, hears = 3, oldest_message_alarm_s = 900, trigger = "queue" }
    files   = { emits = 1, hears = 0, oldest_message_alarm_s = 300, trigger = "object" }
    clock   = { emits = 0, every_s = 60, hears = 0, oldest_message_alarm_s = 300, trigger = "schedule" }
  }
}

run "thresholds_are_the_ones_asked_for" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.dead_letters) : alarm.threshold == 0 && alarm.comparison_operator == "GreaterThanThreshold"]) && keys(aws_cloudwatch_metric_alarm.dead_letters) == ["archive", "files", "ledger", "payment"]
    error_message = "The first dead letter must be told of, in every dead-letter queue."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.errors) : alarm.threshold == 1 && anytrue([for query in alarm.metric_query : query.expression == "100 * errors / calls"])])
    error_message = "Errors above 1 % must be told of."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.duration) : alarm.threshold == 5000 && alarm.extended_statistic == "p95"])
    error_message = "A p95 above 5 s must be told of."
  }

  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.throttles) : alarm.threshold == 0 && alarm.metric_name == "Throttles"])
    error_message = "The first throttle must be told of."
  }

  assert {
    condition     = { for service, alarm in aws_cloudwatch_metric_alarm.oldest_message : service => alarm.threshold } == { files = 300, ledger = 900, payment = 300 }
    error_message = "The topology says how old a message may get."
  }

  assert {
    condition     = { for measure, alarm in aws_cloudwatch_metric_alarm.amplification : measure => alarm.threshold } == { deliveries = 10, executions = 10, publishes = 12 }
    error_message = "Twice the kinds of event that are heard, or emitted, is where a circle is suspected."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.not_run["clock"].treat_missing_data == "breaching"
    error_message = "A schedule that does not run leaves no metric: missing data is the alarm."
  }
}

run "logs_end_and_alarms_are_encrypted" {
  command = plan

  module {
    source = "./modules/observability"
  }

  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), values(aws_cloudwatch_log_group.sink), [aws_cloudwatch_log_group.api]) : group.retention_in_days == 30])
    error_message = "Logs are kept for as long as was asked for, no longer."
  }

  assert {
    condition     = aws_kms_key.alarms.enable_key_rotation && alltrue([for statement in jsondecode(aws_kms_key.alarms.policy).Statement : statement.Principal != "*"])
    error_message = "The alarms' key is rotated and for CloudWatch only."
  }

  assert {
    condition     = jsondecode(aws_sns_topic_policy.alarms.policy).Statement[0].Principal == { Service = "cloudwatch.amazonaws.com" }
    error_message = "Only CloudWatch sends alarms."
  }
}

run "a_refund_that_failed_after_all_and_a_dispute_are_told_of_at_once" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    webhooks = ["clock"]
  }

  assert {
    condition     = aws_cloudwatch_log_metric_filter.told["clock"].pattern == "{ $.message = \"refund-failed\" || $.message = \"dispute-opened\" }" && aws_cloudwatch_log_metric_filter.told["clock"].log_group_name == "/aws/lambda/orders-dev-clock"
    error_message = "The lines are those of orderflow.webhooks, in the log of who hears the gateway."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.told["clock"].threshold == 0 && aws_cloudwatch_metric_alarm.told["clock"].period == 60 && one(aws_cloudwatch_log_metric_filter.told["clock"].metric_transformation).name == aws_cloudwatch_metric_alarm.told["clock"].metric_name
    error_message = "The first line is the alarm."
  }

  assert {
    condition     = length(coalesce(aws_cloudwatch_metric_alarm.told["clock"].ok_actions, [])) == 0
    error_message = "That no more lines come does not say that the money is with the customer."
  }
}
