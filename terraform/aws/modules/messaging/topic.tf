resource "aws_sns_topic" "this" {
  name = "${var.name}-${var.topic_name}"

  # The key that AWS manages lets every publisher of this account use it through SNS
  # (docs.aws.amazon.com/sns/latest/dg/sns-key-management.html).
  kms_master_key_id = "alias/aws/sns"

  # The functions' own trace headers pass through; a trace needs no segment of the topic.
  tracing_config = "PassThrough"
}

# In place of the default policy, which lets the whole account publish: only a role that says so may, and only by TLS.
resource "aws_sns_topic_policy" "this" {
  arn = aws_sns_topic.this.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

# For the services whose events are in order, and for them alone: Firehose, which archives, cannot subscribe to a FIFO
# topic (docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html).
resource "aws_sns_topic" "ordered" {
  count = length(local.ordered_services) > 0 ? 1 : 0

  name                  = "${aws_sns_topic.this.name}-ordered.fifo"
  fifo_topic            = true
  fifo_throughput_scope = "MessageGroup"
  kms_master_key_id     = "alias/aws/sns"
  tracing_config        = "PassThrough"
}

resource "aws_sns_topic_policy" "ordered" {
  count = length(aws_sns_topic.ordered)

  arn = aws_sns_topic.ordered[0].arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = local.ordered_topic_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "this" {
  for_each = local.subscriptions

  topic_arn            = each.value.ordered ? aws_sns_topic.ordered[0].arn : aws_sns_topic.this.arn
  protocol             = "sqs"
  endpoint             = local.queue_arns[each.key]
  raw_message_delivery = true

  filter_policy       = length(each.value.filter) > 0 ? jsonencode(each.value.filter) : null
  filter_policy_scope = length(each.value.filter) > 0 ? "MessageAttributes" : null

  # What SNS cannot hand to the queue is not lost
  # (docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html).
  redrive_policy = jsonencode({ deadLetterTargetArn = local.dead_letter_arns[each.key] })

  depends_on = [aws_sqs_queue_policy.this, aws_sqs_queue_policy.dead_letter]
}
