locals {
  function_log_groups = { for service in keys(var.functions) : service => "/aws/lambda/${var.name}-${service}" }
  sink_log_groups     = { for sink in keys(var.sinks) : sink => "/aws/kinesisfirehose/${var.name}-${sink}" }

  # Groups below /aws/vendedlogs/ need no entry each in the one policy, of 5,120 characters at most, by which AWS
  # services write into log groups (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html).
  api_log_group = "/aws/vendedlogs/apis/${var.name}"
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.function_log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_group" "sink" {
  for_each = local.sink_log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_group" "api" {
  name              = local.api_log_group
  retention_in_days = var.log_retention_days
}
