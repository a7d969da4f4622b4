locals {
  queue_arn_prefix = "arn:${var.scope.partition}:sqs:${var.scope.region}:${var.scope.account_id}:${var.name}"
  topic_arn        = "arn:${var.scope.partition}:sns:${var.scope.region}:${var.scope.account_id}:${var.name}-${var.topic_name}"

  # The topic that a queue hears.
  ordered_topic_arn = "${local.topic_arn}-ordered.fifo"
  topic_arns        = { for service, queue in var.queues : service => queue.ordered ? local.ordered_topic_arn : local.topic_arn }


  # SQS asks for the suffix, and moves a message of a FIFO queue to no other than one
  # (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
  suffixes         = { for service, queue in var.queues : service => queue.ordered ? ".fifo" : "" }
  queue_arns       = { for service, suffix in local.suffixes : service => "${local.queue_arn_prefix}-${service}${suffix}" }
  dead_letter_arns = { for service, suffix in local.suffixes : service => "${local.queue_arn_prefix}-${service}-dlq${suffix}" }
  ordered_services = [for service, queue in var.queues : service if queue.ordered]
  subscriptions    = { for service, queue in var.queues : service => queue if queue.bucket_arn == null }

  # A dead letter carries its reason beside the original, which may itself have the 256 KiB of an SNS message
  # (docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html).
  message_bytes_max = 1024 * 1024

  day_s = 24 * 60 * 60

  deny_plain_http = {
    for service, arn in merge(
      { for service, arn in local.queue_arns : service => arn },
      { for service, arn in local.dead_letter_arns : "${service}-dlq" => arn },
      ) : service => {
      Sid       = "DenyPlainHttp"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }
}
