# The costs of the whole project: labels would miss what takes none, Firestore for one.
resource "google_billing_budget" "this" {
  billing_account = var.billing_account
  display_name    = var.name

  budget_filter {
    projects = ["projects/${var.project_number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.amount)
    }
  }

  dynamic "threshold_rules" {
    for_each = {
      "spent-50"     = { percent = 0.5, basis = "CURRENT_SPEND" }
      "spent-80"     = { percent = 0.8, basis = "CURRENT_SPEND" }
      "spent-100"    = { percent = 1.0, basis = "CURRENT_SPEND" }
      "forecast-100" = { percent = 1.0, basis = "FORECASTED_SPEND" }
    }

    content {
      spend_basis       = threshold_rules.value.basis
      threshold_percent = threshold_rules.value.percent
    }
  }

  all_updates_rule {
    monitoring_notification_channels = [var.channel]
  }

  lifecycle {
    precondition {
      condition     = var.billing_account != ""
      error_message = "The project's billing account cannot be seen: the project has none, or you may not see it."
    }
  }
}
