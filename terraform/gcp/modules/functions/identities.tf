# Two service accounts a service: the one that it runs as, and the one whose tokens it is called with, which may do nothing
# but call it. An HTTP service is called by customers.

locals {
  # An account's id has 30 characters at most: longer ones keep their beginning and get a hash.
  account_ids = {
    for id in concat(
      [for name in keys(var.services) : "${var.name}-${name}"],
      [for name in keys(local.called) : "${var.name}-${name}-caller"],
    ) : id => length(id) <= 30 ? id : "${trimsuffix(substr(id, 0, 23), "-")}-${substr(sha256(id), 0, 6)}"
  }

  # Addresses are made from ids, which are known before anything is made: a plan can then be read and tested as a whole.
  domain = "${var.project.id}.iam.gserviceaccount.com"
  emails = {
    build   = "${google_service_account.build.account_id}@${local.domain}"
    caller  = { for name, account in google_service_account.caller : name => "${account.account_id}@${local.domain}" }
    runtime = { for name, account in google_service_account.runtime : name => "${account.account_id}@${local.domain}" }
  }
}

resource "google_service_account" "runtime" {
  for_each = var.services

  project      = var.project.id
  account_id   = local.account_ids["${var.name}-${each.key}"]
  display_name = "Runs ${var.name}-${each.key}"
}

resource "google_service_account" "caller" {
  for_each = local.called

  project      = var.project.id
  account_id   = local.account_ids["${var.name}-${each.key}-caller"]
  display_name = "Calls ${var.name}-${each.key}"
}

# A 2nd gen function is a Cloud Run service of the same name, and is called by that service's permission
# (cloud.google.com/functions/docs/securing/authenticating). The grant goes with the service.
resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = local.called

  project  = var.project.id
  location = var.region
  name     = google_cloudfunctions2_function.this[each.key].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${local.emails.caller[each.key]}"

  lifecycle {
    replace_triggered_by = [google_cloudfunctions2_function.this[each.key].id]
  }
}

# Pub/Sub signs the callers' tokens. In projects made before 8 April 2021 its agent may not by itself
# (cloud.google.com/pubsub/docs/authenticate-push-subscriptions).
resource "google_service_account_iam_member" "pubsub" {
  for_each = { for name, service in local.called : name => service if service.trigger != "schedule" }

  service_account_id = google_service_account.caller[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = "serviceAccount:service-${var.project.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}
