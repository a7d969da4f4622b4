resource "aws_scheduler_schedule_group" "this" {
  name = var.name
}

resource "aws_scheduler_schedule" "this" {
  for_each = var.schedules

  name                = "${var.name}-${each.key}"
  group_name          = aws_scheduler_schedule_group.this.name
  schedule_expression = each.value.every_s == 60 ? "rate(1 minute)" : "rate(${each.value.every_s / 60} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = each.value.function_arn
    input    = jsonencode({})
    role_arn = aws_iam_role.this[each.key].arn

    # A call that failed is made up for by the next one.
    retry_policy {
      maximum_event_age_in_seconds = min(each.value.every_s, 24 * 60 * 60)
      maximum_retry_attempts       = 0
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
resource "aws_iam_role" "this" {
  for_each = var.schedules

  name                 = "${var.name}-${each.key}-schedule"
  permissions_boundary = var.role_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = {
          "aws:SourceAccount" = var.scope.account_id
          "aws:SourceArn"     = "arn:${var.scope.partition}:scheduler:${var.scope.region}:${var.scope.account_id}:schedule-group/${var.name}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = var.schedules

  name = "invoke"
  role = aws_iam_role.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "InvokeFunction"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [each.value.function_arn]
    }]
  })
}
