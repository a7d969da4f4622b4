# Cloud Storage publishes as its own service agent (cloud.google.com/storage/docs/reporting-changes). Asking for the
# agent's address makes it, where the project has none yet.
data "google_storage_project_service_account" "this" {
  project = var.project.id
}

resource "google_pubsub_topic_iam_member" "watcher" {
  for_each = var.watchers

  project = var.project.id
  topic   = each.value.topic
  role    = "roles/pubsub.publisher"
  member  = data.google_storage_project_service_account.this.member
}

resource "google_storage_notification" "this" {
  for_each = var.watchers

  bucket         = google_storage_bucket.this[each.value.bucket].name
  topic          = "projects/${var.project.id}/topics/${each.value.topic}"
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.watcher]
}
