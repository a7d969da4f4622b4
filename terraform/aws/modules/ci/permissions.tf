# What the provider calls to read, and to make or change, the resources of this root: by name where names are ours. Data
# is in neither list: no documents, messages, objects or secret values. Nor is what a person does, rarely: deleting tables
# and buckets, making or changing the alarms' key (a key has no name by which others could be told from it).
locals {
  arn = {
    for service in ["cloudwatch", "dynamodb", "firehose", "kms", "lambda", "logs", "scheduler", "secretsmanager", "sns", "sqs"] :
    service => "arn:${var.scope.partition}:${service}:${var.scope.region}:${var.scope.account_id}"
  }
  iam     = "arn:${var.scope.partition}:iam::${var.scope.account_id}"
  gateway = "arn:${var.scope.partition}:apigateway:${var.scope.region}:"
  buckets = "arn:${var.scope.partition}:s3:::${var.name}-*-${var.scope.account_id}"

  read = {
    Messaging = {
      actions   = ["sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
      resources = ["${local.arn.sns}:${var.name}-*", "${local.arn.sqs}:${var.name}-*"]
    }
    Store = {
      actions   = ["dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
      resources = ["${local.arn.dynamodb}:table/${var.name}-*"]
    }
    Objects = {
      actions = [
        "s3:GetAccelerateConfiguration", "s3:GetBucketAcl", "s3:GetBucketCORS", "s3:GetBucketLocation", "s3:GetBucketLogging", "s3:GetBucketNotification",
        "s3:GetBucketObjectLockConfiguration", "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketRequestPayment", "s3:GetBucketTagging", "s3:GetBucketVersioning", "s3:GetBucketWebsite", "s3:GetEncryptionConfiguration",
        "s3:GetLifecycleConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
      ]
      resources = [local.buckets]
    }
    Stream = {
      actions   = ["firehose:DescribeDeliveryStream", "firehose:ListTagsForDeliveryStream"]
      resources = ["${local.arn.firehose}:deliverystream/${var.name}-*"]
    }
    Functions = {
      actions = [
        "lambda:GetFunction", "lambda:GetFunctionCodeSigningConfig", "lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration",
        "lambda:GetFunctionEventInvokeConfig", "lambda:GetFunctionRecursionConfig", "lambda:GetPolicy", "lambda:ListTags", "lambda:ListVersionsByFunction",
      ]
      resources = ["${local.arn.lambda}:function:${var.name}-*"]
    }
    # The id of a mapping, an API or a key is AWS's.
    Mappings = {
      actions   = ["lambda:GetEventSourceMapping", "lambda:ListTags"]
      resources = ["${local.arn.lambda}:event-source-mapping:*"]
    }
    Api = {
      actions   = ["apigateway:GET"]
      resources = ["${local.gateway}:/apis", "${local.gateway}:/apis/*", "${local.gateway}:/tags/*"]
    }
    Keys = {
      actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
      resources = ["${local.arn.kms}:key/*"]
    }
    Schedule = {
      actions   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
      resources = ["${local.arn.scheduler}:schedule-group/${var.name}", "${local.arn.scheduler}:schedule/${var.name}/*"]
    }
    Observability = {
      actions   = ["cloudwatch:DescribeAlarms", "cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource"]
      resources = ["${local.arn.cloudwatch}:alarm:${var.name}-*", "arn:${var.scope.partition}:cloudwatch::${var.scope.account_id}:dashboard/${var.name}"]
    }
    Logs = {
      actions   = ["logs:DescribeLogStreams", "logs:DescribeMetricFilters", "logs:ListTagsForResource"]
      resources = local.log_groups
    }
    Secrets = {
      actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"]
      resources = ["${local.arn.secretsmanager}:secret:${var.name}-*"]
    }
    Identities = {
      actions   = ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListPolicyVersions", "iam:ListRolePolicies"]
      resources = ["${local.iam}:role/${var.name}-*", "${local.iam}:policy/${var.name}-*"]
    }
    Federation = {
      actions   = ["iam:GetOpenIDConnectProvider"]
      resources = [local.provider_arn]
    }
    Budget = {
      actions   = ["budgets:ListTagsForResource", "budgets:ViewBudget"]
      resources = ["arn:${var.scope.partition}:budgets::${var.scope.account_id}:budget/${var.name}"]
    }
    # Takes no resource.
    Aliases = {
      actions   = ["kms:ListAliases"]
      resources = ["*"]
    }
    LogGroups = {
      actions   = ["logs:DescribeLogGroups"]
      resources = ["${local.arn.logs}:log-group:*"]
    }
  }

  log_groups = flatten([
    for group in ["/aws/lambda/${var.name}-*", "/aws/kinesisfirehose/${var.name}-*", "/aws/vendedlogs/apis/${var.name}"] :
    ["${local.arn.logs}:log-group:${group}", "${local.arn.logs}:log-group:${group}:*"]
  ])

  write = {
    Messaging = {
      actions = [
        "sns:CreateTopic", "sns:DeleteTopic", "sns:SetSubscriptionAttributes", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe",
        "sns:UntagResource", "sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue",
      ]
      resources = ["${local.arn.sns}:${var.name}-*", "${local.arn.sqs}:${var.name}-*"]
    }
    Store = {
      actions   = ["dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive"]
      resources = ["${local.arn.dynamodb}:table/${var.name}-*"]
    }
    Objects = {
      actions = [
        "s3:CreateBucket", "s3:DeleteBucketPolicy", "s3:PutBucketNotification", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:TagResource", "s3:UntagResource",
      ]
      resources = [local.buckets]
    }
    Stream = {
      actions = [
        "firehose:CreateDeliveryStream", "firehose:DeleteDeliveryStream", "firehose:StartDeliveryStreamEncryption", "firehose:StopDeliveryStreamEncryption",
        "firehose:TagDeliveryStream", "firehose:UntagDeliveryStream", "firehose:UpdateDestination",
      ]
      resources = ["${local.arn.firehose}:deliverystream/${var.name}-*"]
    }
    Functions = {
      actions = [
        "lambda:AddPermission", "lambda:CreateFunction", "lambda:DeleteFunction", "lambda:DeleteFunctionConcurrency", "lambda:DeleteFunctionEventInvokeConfig",
        "lambda:PutFunctionConcurrency", "lambda:PutFunctionEventInvokeConfig", "lambda:PutFunctionRecursionConfig", "lambda:RemovePermission", "lambda:TagResource",
        "lambda:UntagResource", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:UpdateFunctionEventInvokeConfig",
      ]
      resources = ["${local.arn.lambda}:function:${var.name}-*"]
    }
    Api = {
      actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"]
      resources = ["${local.gateway}:/apis", "${local.gateway}:/apis/*", "${local.gateway}:/tags/*"]
    }
    Schedule = {
      actions = [
        "scheduler:CreateSchedule", "scheduler:CreateScheduleGroup", "scheduler:DeleteSchedule", "scheduler:DeleteScheduleGroup", "scheduler:TagResource",
        "scheduler:UntagResource", "scheduler:UpdateSchedule",
      ]
      resources = ["${local.arn.scheduler}:schedule-group/${var.name}", "${local.arn.scheduler}:schedule/${var.name}/*"]
    }
    Observability = {
      actions = [
        "cloudwatch:DeleteAlarms", "cloudwatch:DeleteDashboards", "cloudwatch:PutDashboard", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
      ]
      resources = ["${local.arn.cloudwatch}:alarm:${var.name}-*", "arn:${var.scope.partition}:cloudwatch::${var.scope.account_id}:dashboard/${var.name}"]
    }
    Logs = {
      actions = [
        "logs:CreateLogGroup", "logs:CreateLogStream", "logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:DeleteMetricFilter", "logs:PutMetricFilter",
        "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
      ]
      resources = local.log_groups
    }
    # An access log needs them, and they take no resource
    # (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging.html).
    LogDelivery = {
      actions = [
        "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:UpdateLogDelivery",
      ]
      resources = ["*"]
    }
    # docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html
    LogPolicies = {
      actions   = ["logs:DescribeResourcePolicies", "logs:PutResourcePolicy"]
      resources = ["${local.arn.logs}:log-group:*"]
    }
    Secrets = {
      actions   = ["secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:TagResource", "secretsmanager:UntagResource", "secretsmanager:UpdateSecret"]
      resources = ["${local.arn.secretsmanager}:secret:${var.name}-*"]
    }
    Identities = {
      actions   = ["iam:DeleteRole", "iam:ListInstanceProfilesForRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy"]
      resources = ["${local.iam}:role/${var.name}-*"]
    }
    Budget = {
      actions   = ["budgets:ModifyBudget", "budgets:TagResource", "budgets:UntagResource"]
      resources = ["arn:${var.scope.partition}:budgets::${var.scope.account_id}:budget/${var.name}"]
    }
  }

  # What conditions bound.
  bounded = [
    {
      Sid       = "Mappings"
      Effect    = "Allow"
      Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
      Resource  = ["${local.arn.lambda}:event-source-mapping:*"]
      Condition = { ArnLike = { "lambda:FunctionArn" = "${local.arn.lambda}:function:${var.name}-*" } }
    },
    {
      Sid       = "MappingTags"
      Effect    = "Allow"
      Action    = ["lambda:TagResource", "lambda:UntagResource"]
      Resource  = ["${local.arn.lambda}:event-source-mapping:*"]
      Condition = {}
    },
    {
      Sid       = "BoundedIdentities"
      Effect    = "Allow"
      Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
      Resource  = ["${local.iam}:role/${var.name}-*"]
      Condition = { StringEquals = { "iam:PermissionsBoundary" = local.boundary_arn } }
    },
    {
      Sid       = "HandOverIdentities"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = ["${local.iam}:role/${var.name}-*"]
      Condition = { StringEquals = { "iam:PassedToService" = ["firehose.amazonaws.com", "lambda.amazonaws.com", "scheduler.amazonaws.com", "sns.amazonaws.com"] } }
    },
    # CI does not raise its own rights: a change of these is applied by a person.
    {
      Sid       = "NotItself"
      Effect    = "Deny"
      Action    = ["iam:DeleteRole", "iam:DeleteRolePolicy", "iam:PassRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy"]
      Resource  = ["${local.iam}:role/${var.name}-ci-*"]
      Condition = {}
    },
  ]

  statements = {
    read    = [for purpose, grant in local.read : { Sid = "Read${purpose}", Effect = "Allow", Action = grant.actions, Resource = grant.resources }]
    write   = [for purpose, grant in local.write : { Sid = "Write${purpose}", Effect = "Allow", Action = grant.actions, Resource = grant.resources }]
    bounded = [for statement in local.bounded : { for key, value in statement : key => value if key != "Condition" || length(value) > 0 }]
  }
  policies = { for policy, statements in local.statements : policy => statements if length(local.repositories) > 0 }
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "${var.name}-ci-${each.key}"
  description = "GitHub Actions on ${var.name}: ${each.key}."
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })

  lifecycle {
    # docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    precondition {
      condition     = length(jsonencode({ Version = "2012-10-17", Statement = each.value })) <= 6144
      error_message = "A managed policy has 6,144 characters at most."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = merge([
    for role in keys(local.trusted) : {
      for policy in role == "apply" ? ["read", "write", "bounded"] : ["read"] : "${role}-${policy}" => { role = role, policy = policy }
    }
  ]...)

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}

# A plan locks the state too, with a file beside it (developer.hashicorp.com/terraform/language/backend/s3).
resource "aws_iam_role_policy" "state" {
  for_each = local.trusted

  name = "state"
  role = aws_iam_role.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = ["arn:${var.scope.partition}:s3:::${var.state_bucket}"]
      },
      {
        Sid      = "UseState"
        Effect   = "Allow"
        Action   = each.key == "apply" ? ["s3:GetObject", "s3:PutObject"] : ["s3:GetObject"]
        Resource = ["arn:${var.scope.partition}:s3:::${var.state_bucket}/${var.environment}.tfstate"]
      },
      {
        Sid      = "LockState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = ["arn:${var.scope.partition}:s3:::${var.state_bucket}/${var.environment}.tfstate.tflock"]
      },
    ]
  })
}
