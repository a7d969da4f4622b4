# The functions' logs go to a bucket of their own, kept as long as this deployment says; the project's _Default bucket
# leaves them out, so that nothing is kept twice (cloud.google.com/logging/docs/routing/overview).

locals {
  logs = join(" AND ", [
    "resource.type = \"cloud_run_revision\"",
    "resource.labels.service_name = (${join(" OR ", [for name in values(var.functions) : "\"${name}\""])})",
  ])
}

resource "google_logging_project_bucket_config" "this" {
  project        = var.project
  location       = var.region
  bucket_id      = var.name
  retention_days = var.log_retention_days
  description    = "Logs of the functions of ${var.name}"
}

resource "google_logging_project_sink" "this" {
  project                = var.project
  name                   = var.name
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.this.id}"
  filter                 = local.logs
  unique_writer_identity = true
}

resource "google_logging_project_exclusion" "this" {
  project     = var.project
  name        = var.name
  description = "Kept in the log bucket ${var.name}"
  filter      = local.logs

  depends_on = [google_logging_project_sink.this]
}
