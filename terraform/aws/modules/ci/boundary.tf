# Every other role of the deployment is made within this boundary. CI may make roles only so: whoever takes CI over can
# make none that does more than a service here could
# (docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html).
locals {
  providers    = toset(values(var.systems)[*].provider)
  boundary_arn = "${local.iam}:policy/${var.name}-boundary"

  bounds = {
    Messages = {
      actions   = ["sns:Publish", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage"]
      resources = ["${local.arn.sns}:${var.name}-*", "${local.arn.sqs}:${var.name}-*"]
    }
    Documents = {
      actions   = ["dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
      resources = ["${local.arn.dynamodb}:table/${var.name}-*"]
    }
    Objects = {
      actions   = ["s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:PutObject"]
      resources = [local.buckets, "${local.buckets}/*"]
    }
    Stream = {
      actions   = ["firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream", "firehose:PutRecord", "firehose:PutRecordBatch"]
      resources = ["${local.arn.firehose}:deliverystream/${var.name}-*"]
    }
    Calls = {
      actions   = ["lambda:InvokeFunction"]
      resources = ["${local.arn.lambda}:function:${var.name}-*"]
    }
    Logs = {
      actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources = local.log_groups
    }
    Secrets = {
      actions   = ["secretsmanager:GetSecretValue"]
      resources = ["${local.arn.secretsmanager}:secret:${var.name}-*"]
    }
    # X-Ray takes no resource for these.
    Traces = {
      actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_policy" "boundary" {
  for_each = local.repositories

  name        = "${var.name}-boundary"
  description = "The most that a role of ${var.name} may do."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for purpose, bound in local.bounds : { Sid = purpose, Effect = "Allow", Action = bound.actions, Resource = bound.resources }],
      [
        for provider in setintersection(local.providers, ["ses"]) : {
          Sid      = "Emails"
          Effect   = "Allow"
          Action   = ["ses:SendEmail"]
          Resource = ["arn:${var.scope.partition}:ses:${var.scope.region}:${var.scope.account_id}:identity/*"]
        }
      ],
      [
        for provider in setintersection(local.providers, ["sns"]) : {
          Sid         = "Texts"
          Effect      = "Allow"
          Action      = ["sns:Publish"]
          NotResource = ["arn:${var.scope.partition}:sns:*:*:*"]
        }
      ],
    )
  })
}
