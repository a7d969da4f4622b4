# The package, and how it becomes images: by Cloud Build as an account of its own, into a repository of this deployment's,
# so that nothing is left behind but what the platform keeps for itself.

resource "google_storage_bucket" "source" {
  project       = var.project.id
  name          = "${var.name}-source-${var.project.id}"
  location      = var.region
  force_destroy = true

  public_access_prevention    = "enforced"
  uniform_bucket_level_access = true

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
}

# The hash in the name makes every function follow a changed package, and none an unchanged one.
resource "google_storage_bucket_object" "package" {
  bucket = google_storage_bucket.source.name
  name   = "functions-${filesha256(var.package_file)}.zip"
  source = var.package_file
}

resource "google_artifact_registry_repository" "this" {
  project       = var.project.id
  location      = var.region
  repository_id = "${var.name}-functions"
  description   = "Images of the functions of ${var.name}"
  format        = "DOCKER"

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"

    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "30d"
    }
  }
}

resource "google_service_account" "build" {
  project      = var.project.id
  account_id   = "${var.name}-image-build"
  display_name = "Builds the functions of ${var.name}"
}

# The roles of cloud.google.com/functions/docs/securing/build-custom-sa, each on as little as it can be on.
resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project.id
  location   = var.region
  repository = google_artifact_registry_repository.this.name
  role       = "roles/artifactregistry.writer"
  member     = "serviceAccount:${local.emails.build}"
}

resource "google_project_iam_member" "build_logs" {
  project = var.project.id
  role    = "roles/logging.logWriter"
  member  = "serviceAccount:${local.emails.build}"
}

resource "google_project_iam_member" "build_sources" {
  project = var.project.id
  role    = "roles/storage.objectViewer"
  member  = "serviceAccount:${local.emails.build}"

  # Cloud Functions copies the package to a bucket of its own before the build, which may not exist yet.
  condition {
    title = "function sources"
    expression = join(" || ", [
      for bucket in [google_storage_bucket.source.name, "gcf-v2-sources-${var.project.number}-${var.region}"] :
      "resource.name.startsWith(\"projects/_/buckets/${bucket}/\")"
    ])
  }
}

# A grant takes its time to be known everywhere, and a build that comes too early fails: the provider's own example waits
# (registry.terraform.io/providers/hashicorp/google/latest/docs/resources/cloudfunctions2_function).
resource "time_sleep" "build_grants" {
  create_duration = "60s"

  triggers = {
    artifacts = google_artifact_registry_repository_iam_member.build.id
    logs      = google_project_iam_member.build_logs.id
    sources   = google_project_iam_member.build_sources.id
  }
}
