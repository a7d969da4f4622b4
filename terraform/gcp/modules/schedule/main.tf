resource "google_cloud_scheduler_job" "this" {
  for_each = var.services

  project          = var.project
  region           = var.region
  name             = "${var.name}-${each.key}"
  description      = "Calls ${var.name}-${each.key} every ${each.value.every_s} seconds"
  schedule         = each.value.every_s == 3600 ? "0 * * * *" : each.value.every_s == 60 ? "* * * * *" : "*/${each.value.every_s / 60} * * * *"
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.limits.timeout_s}s"

  # The next time comes soon enough.
  retry_config {
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = var.push[each.key].endpoint

    oidc_token {
      audience              = var.push[each.key].audience
      service_account_email = var.push[each.key].email
    }
  }
}
