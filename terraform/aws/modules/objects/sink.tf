locals {
  stream_arns = {
    for sink in keys(var.sinks) :
    sink => "arn:${var.scope.partition}:firehose:${var.scope.region}:${var.scope.account_id}:deliverystream/${var.name}-${sink}"
  }
  undelivered_arns = {
    for sink in keys(var.sinks) :
    sink => "arn:${var.scope.partition}:sqs:${var.scope.region}:${var.scope.account_id}:${var.name}-${sink}-dlq"
  }
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  for_each = var.sinks

  name        = "${var.name}-${each.key}"
  destination = "extended_s3"

  extended_s3_configuration {
    bucket_arn          = local.bucket_arns[each.value.bucket]
    buffering_interval  = each.value.every_s
    buffering_size      = 5
    compression_format  = "UNCOMPRESSED" # One reader serves the three clouds.
    prefix              = "${each.value.prefix}!{timestamp:yyyy/MM/dd}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/"
    file_extension      = ".jsonl"
    role_arn            = aws_iam_role.stream[each.key].arn

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = var.log_groups[each.key]
      log_stream_name = aws_cloudwatch_log_stream.this[each.key].name
    }

    # One event a line. SNS's documentation shows lines only for messages in its own wrapping
    # (docs.aws.amazon.com/sns/latest/dg/firehose-archived-message-format-S3.html), ours are raw; where SNS ends lines
    # as well, a reader skips the empty ones.
    processing_configuration {
      enabled = true

      processors {
        type = "AppendDelimiterToRecord"
      }
    }
  }

  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  depends_on = [aws_iam_role_policy.stream, aws_s3_bucket_policy.this]
}

resource "aws_cloudwatch_log_stream" "this" {
  for_each = var.sinks

  name           = "delivery"
  log_group_name = var.log_groups[each.key]
}

# docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-s3
resource "aws_iam_role" "stream" {
  for_each = var.sinks

  name                 = "${var.name}-${each.key}"
  permissions_boundary = var.role_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "firehose.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "stream" {
  for_each = var.sinks

  name = "write-archive"
  role = aws_iam_role.stream[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = [local.bucket_arns[each.value.bucket]]
      },
      {
        Sid    = "WriteEvents"
        Effect = "Allow"
        Action = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = [
          "${local.bucket_arns[each.value.bucket]}/${each.value.prefix}*",
          "${local.bucket_arns[each.value.bucket]}/errors/*",
        ]
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:PutLogEvents"]
        Resource = ["arn:${var.scope.partition}:logs:${var.scope.region}:${var.scope.account_id}:log-group:${var.log_groups[each.key]}:log-stream:*"]
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "sink" {
  for_each = var.sinks

  topic_arn             = var.topic_arn
  protocol              = "firehose"
  endpoint              = aws_kinesis_firehose_delivery_stream.this[each.key].arn
  raw_message_delivery  = true
  redrive_policy        = jsonencode({ deadLetterTargetArn = local.undelivered_arns[each.key] })
  subscription_role_arn = aws_iam_role.subscription[each.key].arn

  depends_on = [aws_iam_role_policy.subscription, aws_sqs_queue_policy.undelivered]
}

# docs.aws.amazon.com/sns/latest/dg/prereqs-kinesis-data-firehose.html
resource "aws_iam_role" "subscription" {
  for_each = var.sinks

  name                 = "${var.name}-${each.key}-subscription"
  permissions_boundary = var.role_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "subscription" {
  for_each = var.sinks

  name = "put-records"
  role = aws_iam_role.subscription[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "PutRecords"
      Effect = "Allow"
      Action = [
        "firehose:DescribeDeliveryStream",
        "firehose:ListTagsForDeliveryStream",
        "firehose:PutRecord",
        "firehose:PutRecordBatch",
      ]
      Resource = [local.stream_arns[each.key]]
    }]
  })
}

# Events that SNS could not hand to Firehose: lost to the archive until somebody puts them in.
resource "aws_sqs_queue" "undelivered" {
  for_each = var.sinks

  name                      = "${var.name}-${each.key}-dlq"
  max_message_size          = 1024 * 1024
  message_retention_seconds = 14 * 24 * 60 * 60
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "undelivered" {
  for_each = var.sinks

  queue_url = aws_sqs_queue.undelivered[each.key].url

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "SendFromTopic"
        Effect    = "Allow"
        Principal = { Service = "sns.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.undelivered_arns[each.key]
        Condition = { ArnEquals = { "aws:SourceArn" = var.topic_arn } }
      },
      {
        Sid       = "DenyPlainHttp"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.undelivered_arns[each.key]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}
