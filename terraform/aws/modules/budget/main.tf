# Over the whole account. A budget by tag would count nothing until somebody activates the tag in the paying account
# (docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/activating-tags.html), and would never tell.
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.monthly)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = {
      "spent-50"     = { threshold = 50, type = "ACTUAL" }
      "spent-80"     = { threshold = 80, type = "ACTUAL" }
      "spent-100"    = { threshold = 100, type = "ACTUAL" }
      "forecast-100" = { threshold = 100, type = "FORECASTED" }
    }

    content {
      comparison_operator        = "GREATER_THAN"
      notification_type          = notification.value.type
      subscriber_email_addresses = [var.alarm_email]
      threshold                  = notification.value.threshold
      threshold_type             = "PERCENTAGE"
    }
  }
}
