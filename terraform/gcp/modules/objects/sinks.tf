# The archive needs no function: Pub/Sub writes the events' bodies itself, one a line where no Avro is asked for, which
# makes JSON lines of our JSON (cloud.google.com/pubsub/docs/cloudstorage).

locals {
  agent = "serviceAccount:service-${var.project.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # The roles that the page on Cloud Storage subscriptions asks for: to write objects, and to read the bucket's metadata.
  grants = merge([
    for bucket in local.archives : {
      for role in ["roles/storage.legacyBucketReader", "roles/storage.objectCreator"] :
      "${bucket}-${trimprefix(role, "roles/storage.")}" => { bucket = bucket, role = role }
    }
  ]...)
}

resource "google_storage_bucket_iam_member" "sink" {
  for_each = local.grants

  bucket = google_storage_bucket.this[each.value.bucket].name
  role   = each.value.role
  member = local.agent
}

resource "google_pubsub_subscription" "sink" {
  for_each = var.sinks

  project = var.project.id
  name    = "${var.name}-${each.key}"
  topic   = var.topic
  labels  = { service = each.key }

  # A batch may not wait longer than the acknowledgement deadline
  # (cloud.google.com/pubsub/docs/create-cloudstorage-subscription#subscription).
  ack_deadline_seconds       = each.value.every_s
  message_retention_duration = "2678400s"

  cloud_storage_config {
    bucket                   = google_storage_bucket.this[each.value.bucket].name
    filename_prefix          = each.value.prefix
    filename_datetime_format = "YYYY/MM/DD/hh_mm_ssZ"
    filename_suffix          = ".jsonl"
    max_duration             = "${each.value.every_s}s"
  }

  expiration_policy {
    ttl = ""
  }

  # Pub/Sub refuses a bucket that it may not write to.
  depends_on = [google_storage_bucket_iam_member.sink]
}
