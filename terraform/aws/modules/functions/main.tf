locals {
  # Names in orderflow_aws.entrypoints.
  handlers = {
    http     = "api"
    object   = "load_files"
    queue    = "consume"
    schedule = "sweep"
  }

  fed_by_queue = { for service, function in var.functions : service => function if function.queue_arn != null }
  # Checking a token and signing one, which FCM asks for, take the cryptography package.
  package_files = {
    for service, function in var.functions : service => (
      function.trigger == "http" || anytrue([for system in function.uses : try(var.systems[system].provider, "") == "fcm"])
      ? var.package_files.tokens
      : var.package_files.plain
    )
  }
  scheduled = { for service, function in var.functions : service => function if function.trigger == "schedule" }
}

resource "aws_lambda_function" "this" {
  for_each = var.functions

  function_name    = "${var.name}-${each.key}"
  architectures    = ["arm64"]
  filename         = local.package_files[each.key]
  handler          = "orderflow_aws.entrypoints.${local.handlers[each.value.trigger]}"
  memory_size      = each.value.memory_mb
  role             = aws_iam_role.this[each.key].arn
  runtime          = "python3.13"
  source_code_hash = filebase64sha256(local.package_files[each.key])
  timeout          = each.value.timeout_s

  # Only where nothing else bounds it. SQS's pollers do not know of reserved concurrency: they take messages, are
  # throttled, and each time use up a receive of the message
  # (docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html); the mapping's own maximum bounds those functions.
  reserved_concurrent_executions = each.value.queue_arn == null ? each.value.max_concurrency : -1

  environment {
    variables = merge(each.value.environment, { ORDERFLOW_SERVICE = each.key })
  }

  # In JSON, the reports of invocations can be counted like our own lines.
  logging_config {
    log_format = "JSON"
    log_group  = each.value.log_group
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.this]
}

# The longest chain of the workflow is far below the 16 invocations at which Lambda stops one, and a retry is no new
# message (docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html): what gets there is a mistake.
resource "aws_lambda_function_recursion_config" "this" {
  for_each = aws_lambda_function.this

  function_name  = each.value.function_name
  recursive_loop = "Terminate"
}

resource "aws_lambda_event_source_mapping" "this" {
  for_each = local.fed_by_queue

  function_name                      = aws_lambda_function.this[each.key].arn
  event_source_arn                   = each.value.queue_arn
  batch_size                         = each.value.batch_size
  function_response_types            = ["ReportBatchItemFailures"]
  maximum_batching_window_in_seconds = each.value.batch_window_s

  scaling_config {
    maximum_concurrency = each.value.max_concurrency
  }
}

# A run that could not start is made up for by the next: it must not wait and overlap with that.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.scheduled

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_event_age_in_seconds = min(max(60, each.value.every_s), 6 * 60 * 60)
  maximum_retry_attempts       = 0
}
