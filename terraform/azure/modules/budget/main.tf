resource "azurerm_consumption_budget_resource_group" "this" {
  name              = var.name
  resource_group_id = var.resource_group_id

  amount     = var.budget_monthly
  time_grain = "Monthly"

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", plantimestamp())
  }

  notification {
    contact_emails = [var.alarm_email]
    operator       = "GreaterThan"
    threshold      = 50
    threshold_type = "Actual"
  }

  notification {
    contact_emails = [var.alarm_email]
    operator       = "GreaterThan"
    threshold      = 80
    threshold_type = "Actual"
  }

  notification {
    contact_emails = [var.alarm_email]
    operator       = "GreaterThan"
    threshold      = 100
    threshold_type = "Forecasted"
  }

  # The month that it was made in; another one would make it anew.
  lifecycle {
    ignore_changes = [time_period]
  }
}
