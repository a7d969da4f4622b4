# What each service may do beside being called: exactly what the topology says that it does.

# IAM knows databases but no collections: the security rules that do are not asked for a server's requests
# (cloud.google.com/firestore/docs/security/iam). So a service reads or writes the whole database or has no part in it.
resource "google_project_iam_member" "store" {
  for_each = {
    for name, service in var.services : name => length(service.collections.write) > 0 ? "roles/datastore.user" : "roles/datastore.viewer"
    if length(concat(service.collections.read, service.collections.write)) > 0
  }

  project = var.project.id
  role    = each.value
  member  = "serviceAccount:${local.emails.runtime[each.key]}"

  condition {
    title      = "database of ${var.name}"
    expression = "resource.name == \"${var.database}\""
  }
}

resource "google_pubsub_topic_iam_member" "emits" {
  for_each = { for name, service in var.services : name => service if length(service.emits) > 0 }

  project = var.project.id
  topic   = var.topic
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.emails.runtime[each.key]}"
}

# The shell dead-letters what it gives up, with the reason.
resource "google_pubsub_topic_iam_member" "dead_letter" {
  for_each = var.dead_letter_topics

  project = var.project.id
  topic   = each.value
  role    = "roles/pubsub.publisher"
  member  = "serviceAccount:${local.emails.runtime[each.key]}"
}

resource "google_storage_bucket_iam_member" "dropped" {
  for_each = { for name, service in var.services : name => service if service.trigger == "object" }

  bucket = var.buckets[each.value.bucket]
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${local.emails.runtime[each.key]}"
}

# A file that is loaded twice writes its quarantine over: that takes the permission to delete, which creators lack
# (cloud.google.com/storage/docs/access-control/iam-roles).
resource "google_storage_bucket_iam_member" "quarantine" {
  for_each = { for name, service in var.services : name => service if service.trigger == "object" }

  bucket = var.quarantine.bucket
  role   = "roles/storage.objectUser"
  member = "serviceAccount:${local.emails.runtime[each.key]}"

  condition {
    title      = "quarantine only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.quarantine.bucket}/objects/${var.quarantine.prefix}\")"
  }
}

# Data too large for the topic (orderflow.claims). An event that is published again writes its data over, as above.
resource "google_storage_bucket_iam_member" "claims" {
  for_each = merge(
    { for name, service in var.services : "${name}-store" => { role = "roles/storage.objectUser", service = name } if length(service.emits) > 0 },
    { for name, service in var.services : "${name}-redeem" => { role = "roles/storage.objectViewer", service = name } if length(service.hears) > 0 },
  )

  bucket = var.claims.bucket
  role   = each.value.role
  member = "serviceAccount:${local.emails.runtime[each.value.service]}"

  condition {
    title      = "claims only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.claims.bucket}/objects/${var.claims.prefix}\")"
  }
}

# cloud.google.com/iam/docs/roles-permissions/telemetry
resource "google_project_iam_member" "telemetry" {
  for_each = { for grant in setproduct(keys(var.services), var.telemetry_roles) : "${grant[0]}-${basename(grant[1])}" => { service = grant[0], role = grant[1] } }

  project = var.project.id
  role    = each.value.role
  member  = "serviceAccount:${local.emails.runtime[each.value.service]}"
}

# What a service reads of the dropped files, and what it writes into the archive bucket: below its prefixes only.
locals {
  objects = merge(flatten([
    for name, service in var.services : [
      { for prefix in service.fetches : "${name}-fetches-${trimsuffix(prefix, "/")}" => { bucket = var.drop_bucket, prefix = prefix, role = "roles/storage.objectViewer", service = name } },
      { for prefix in service.keeps : "${name}-keeps-${trimsuffix(prefix, "/")}" => { bucket = var.quarantine.bucket, prefix = prefix, role = "roles/storage.objectUser", service = name } },
    ]
  ])...)
}

resource "google_storage_bucket_iam_member" "objects" {
  for_each = local.objects

  bucket = each.value.bucket
  role   = each.value.role
  member = "serviceAccount:${local.emails.runtime[each.value.service]}"

  condition {
    title      = "${each.value.prefix} only"
    expression = "resource.name.startsWith(\"projects/_/buckets/${each.value.bucket}/objects/${each.value.prefix}\")"
  }
}
