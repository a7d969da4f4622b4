# Secrets are made without a value: `gcloud secrets versions add` puts it in, so that it is never in the state.

locals {
  secret_readers = merge([
    for name, service in var.services : {
      for secret in setintersection(var.secrets, service.uses) : "${name}-${secret}" => { secret = secret, service = name }
    }
  ]...)
}

resource "google_secret_manager_secret" "this" {
  for_each = var.secrets

  project   = var.project.id
  secret_id = "${var.name}-${each.key}"

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.secret_readers

  project   = var.project.id
  secret_id = google_secret_manager_secret.this[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = "serviceAccount:${local.emails.runtime[each.value.service]}"
}
