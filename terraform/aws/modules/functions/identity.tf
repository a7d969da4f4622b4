locals {
  # What a function may do, by purpose; a purpose without resources is left out.
  grants = {
    for service, function in var.functions : service => {
      WriteLogs = {
        actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources = ["arn:${var.scope.partition}:logs:${var.scope.region}:${var.scope.account_id}:log-group:${function.log_group}:log-stream:*"]
      }
      # X-Ray takes no resource for these
      # (docs.aws.amazon.com/service-authorization/latest/reference/list_awsx-ray.html).
      WriteTraces = {
        actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        resources = ["*"]
      }
      ReceiveMessages = {
        actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources = compact([function.queue_arn])
      }
      WriteDeadLetters = {
        actions   = ["sqs:SendMessage"]
        resources = compact([function.dead_letter_arn])
      }
      PublishEvents = {
        actions   = ["sns:Publish"]
        resources = [for arn in var.topic_arns : arn if function.publishes]
      }
      ReadDocuments = {
        actions   = ["dynamodb:GetItem"]
        resources = [for collection in local.collections[service] : var.table_arns[collection]]
      }
      QueryIndexes = {
        actions   = ["dynamodb:Query"]
        resources = flatten([for collection in local.collections[service] : lookup(var.table_index_arns, collection, [])])
      }
      ReadQueriedDocuments = {
        actions   = ["dynamodb:BatchGetItem"]
        resources = [for collection in local.collections[service] : var.table_arns[collection] if contains(keys(var.table_index_arns), collection)]
      }
      WriteDocuments = {
        actions   = ["dynamodb:PutItem"]
        resources = [for collection in sort(function.writes) : var.table_arns[collection]]
      }
      ReadFiles = {
        actions   = ["s3:GetObject"]
        resources = concat([for arn in compact([function.bucket_arn]) : "${arn}/*"], [for prefix in function.fetches : "${var.drop_arn}/${prefix}*"])
      }
      # Without it S3 answers 403 and not 404 for an object that is gone
      # (docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
      FindFiles = {
        actions   = ["s3:ListBucket"]
        resources = distinct(compact([function.bucket_arn, length(function.fetches) > 0 ? var.drop_arn : null]))
      }
      KeepObjects = {
        actions   = ["s3:PutObject"]
        resources = [for prefix in function.keeps : "${var.archive_arn}/${prefix}*"]
      }
      # Rows that cannot be loaded (orderflow.files).
      QuarantineRows = {
        actions   = ["s3:PutObject"]
        resources = [for arn in [var.archive_arn] : "${arn}/quarantine/*" if function.bucket_arn != null]
      }
      # Data too large for the topic (orderflow.claims).
      StoreClaims = {
        actions   = ["s3:PutObject"]
        resources = [for arn in [var.claims.bucket_arn] : "${arn}/${var.claims.prefix}*" if function.publishes]
      }
      RedeemClaims = {
        actions   = ["s3:GetObject"]
        resources = [for arn in [var.claims.bucket_arn] : "${arn}/${var.claims.prefix}*" if function.hears]
      }
      # As for FindFiles: a claim that is missing must not look like a bucket that does not answer.
      FindClaims = {
        actions   = ["s3:ListBucket"]
        resources = [for arn in [var.claims.bucket_arn] : arn if function.hears]
      }
      # An address is verified by itself or by its domain
      # (docs.aws.amazon.com/ses/latest/dg/creating-identities.html).
      SendEmails = {
        actions   = ["ses:SendEmail"]
        resources = [for identity in local.senders[service] : "arn:${var.scope.partition}:ses:${var.scope.region}:${var.scope.account_id}:identity/${identity}"]
      }
      # AWS ends a secret's ARN with six characters of its own
      # (docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html).
      ReadSecrets = {
        actions   = ["secretsmanager:GetSecretValue"]
        resources = [for system in sort(setintersection(var.secrets, function.uses)) : "arn:${var.scope.partition}:secretsmanager:${var.scope.region}:${var.scope.account_id}:secret:${var.name}-${system}-??????"]
      }
    }
  }

  # The verified senders of a service: the address, and its domain.
  senders = {
    for service, function in var.functions : service => flatten([
      for system in sort(function.uses) : [
        for address in [regex("[^@<\\s]+@[^@>\\s]+", var.systems[system].options.from)] : [address, split("@", address)[1]]
      ] if try(var.systems[system].provider, "") == "ses"
    ])
  }

  texting = toset([for service, function in var.functions : service if anytrue([for system in function.uses : try(var.systems[system].provider, "") == "sns"])])

  collections = { for service, function in var.functions : service => sort(distinct(concat(function.reads, function.writes))) }
}

resource "aws_iam_role" "this" {
  for_each = var.functions

  name                 = "${var.name}-${each.key}"
  permissions_boundary = var.role_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = local.grants

  name = "service"
  role = aws_iam_role.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for purpose, grant in each.value : {
          Sid      = purpose
          Effect   = "Allow"
          Action   = grant.actions
          Resource = grant.resources
        }
        if length(grant.resources) > 0
      ],
      # To a phone number, which has no ARN, and to no topic (docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html).
      [
        for service in setintersection(local.texting, [each.key]) : {
          Sid         = "SendTexts"
          Effect      = "Allow"
          Action      = ["sns:Publish"]
          NotResource = ["arn:${var.scope.partition}:sns:*:*:*"]
        }
      ],
    )
  })
}
