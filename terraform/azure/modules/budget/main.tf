resource "azurerm_consumption_budget_resource_group" "this" {
  name              = var.name
  resource_group_id = var.resource_group_id

  amount     = var.budget_monthly
  time_grain = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", plantimestamp())
  }

  dynamic "notification" {
    for_each = {
      "spent-50"     = { threshold = 50, type = "Actual" }
      "spent-80"     = { threshold = 80, type = "Actual" }
      "spent-100"    = { threshold = 100, type = "Actual" }
      "forecast-100" = { threshold = 100, type = "Forecasted" }
    }

    content {
      contact_emails = [var.alarm_email]
      operator       = "GreaterThan"
      threshold      = notification.value.threshold
      threshold_type = notification.value.type
    }
  }

  # The month that it was made in; another one would make it anew.
  lifecycle {
    ignore_changes = [time_period]
  }
}
