locals {
  archives = toset([for sink in values(var.sinks) : sink.bucket])
}

resource "google_storage_bucket" "this" {
  for_each = var.buckets

  project       = var.project.id
  name          = "${var.name}-${each.key}-${var.project.id}"
  location      = var.region
  force_destroy = !var.deletion_protection

  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_noncurrent_time = 30
      with_state                 = "ARCHIVED"
    }
  }

  # The archive is written once and seldom read; what is dropped elsewhere has done its work when it was loaded.
  lifecycle_rule {
    action {
      type          = contains(local.archives, each.key) ? "SetStorageClass" : "Delete"
      storage_class = contains(local.archives, each.key) ? "NEARLINE" : null
    }
    condition {
      age        = 30
      with_state = "LIVE"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = setintersection(local.archives, [each.key])

    content {
      action {
        type          = "SetStorageClass"
        storage_class = "COLDLINE"
      }
      condition {
        age        = 120
        with_state = "LIVE"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = length("${var.name}-${each.key}-${var.project.id}") <= 63
      error_message = "The name of bucket ${each.key} is longer than 63 characters (cloud.google.com/storage/docs/buckets#naming)."
    }
  }
}
