# What must be there before terraform/gcp: the bucket for its state, and the APIs that a first plan asks.
provider "google" {
  project        = var.account_id
  region         = var.region
  default_labels = merge(var.labels, { application = var.prefix, managed-by = "terraform" })
}

resource "google_project_service" "this" {
  for_each = toset([
    "cloudbilling.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
  ])

  project            = var.account_id
  service            = each.key
  disable_on_destroy = false
}

# The gcs backend locks with an object of its own: nothing more is needed
# (developer.hashicorp.com/terraform/language/backend/gcs).
resource "google_storage_bucket" "state" {
  project  = var.account_id
  name     = "${var.prefix}-state-${var.account_id}"
  location = var.region

  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  # A state that a bad apply has spoilt can be had back.
  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 90
      num_newer_versions         = 20
      with_state                 = "ARCHIVED"
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.this]
}

resource "google_storage_bucket_iam_member" "state" {
  for_each = var.state_users

  bucket = google_storage_bucket.state.name
  role   = "roles/storage.objectUser"
  member = each.key
}
