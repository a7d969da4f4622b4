resource "aws_sqs_queue" "this" {
  for_each = var.queues

  name                       = "${var.name}-${each.key}${local.suffixes[each.key]}"
  max_message_size           = local.message_bytes_max
  message_retention_seconds  = 4 * local.day_s
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  visibility_timeout_seconds = each.value.lock_s

  # One order's events in order, as many orders at a time as there are
  # (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/high-throughput-fifo.html).
  fifo_queue            = each.value.ordered ? true : null
  deduplication_scope   = each.value.ordered ? "messageGroup" : null
  fifo_throughput_limit = each.value.ordered ? "perMessageGroupId" : null

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letter_arns[each.key]
    maxReceiveCount     = each.value.broker_max_deliveries
  })

  depends_on = [aws_sqs_queue.dead_letter]
}

resource "aws_sqs_queue" "dead_letter" {
  for_each = var.queues

  name             = "${var.name}-${each.key}-dlq${local.suffixes[each.key]}"
  fifo_queue       = each.value.ordered ? true : null
  max_message_size = local.message_bytes_max

  # Longer than the queue's: a message's age goes on counting when SQS moves it here
  # (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
  message_retention_seconds = 14 * local.day_s
  receive_wait_time_seconds = 20
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns[each.key]]
  })
}

resource "aws_sqs_queue_policy" "this" {
  for_each = var.queues

  queue_url = aws_sqs_queue.this[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "SendFromSource"
        Effect    = "Allow"
        Principal = { Service = each.value.bucket_arn == null ? "sns.amazonaws.com" : "s3.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arns[each.key]
        Condition = merge(
          { ArnEquals = { "aws:SourceArn" = coalesce(each.value.bucket_arn, local.topic_arns[each.key]) } },
          # A bucket's ARN names no account, a topic's does
          # (docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html).
          { for key in ["StringEquals"] : key => { "aws:SourceAccount" = var.scope.account_id } if each.value.bucket_arn != null },
        )
      },
      local.deny_plain_http[each.key],
    ]
  })
}

resource "aws_sqs_queue_policy" "dead_letter" {
  for_each = var.queues

  queue_url = aws_sqs_queue.dead_letter[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for service in [each.key] : {
          Sid       = "SendFromTopic"
          Effect    = "Allow"
          Principal = { Service = "sns.amazonaws.com" }
          Action    = "sqs:SendMessage"
          Resource  = local.dead_letter_arns[service]
          Condition = { ArnEquals = { "aws:SourceArn" = local.topic_arns[service] } }
        }
        if each.value.bucket_arn == null
      ],
      [local.deny_plain_http["${each.key}-dlq"]],
    )
  })
}
