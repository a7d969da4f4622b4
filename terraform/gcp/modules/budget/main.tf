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
    for_each = [0.5, 0.8, 1.0]

    content {
      threshold_percent = threshold_rules.value
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
