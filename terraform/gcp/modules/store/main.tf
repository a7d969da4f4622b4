# One database for all collections. The names of fields are those of functions/gcp/orderflow_gcp/store.py.

locals {
  indexes = merge([
    for collection, declared in var.collections : merge([
      for index in declared.indexes : {
        for order in ["ASCENDING", "DESCENDING"] :
        "${collection}-${index}-${lower(order)}" => { collection = collection, index = index, order = order }
      }
    ]...)
  ]...)
}

resource "google_firestore_database" "this" {
  project     = var.project
  name        = var.name
  location_id = var.region
  type        = "FIRESTORE_NATIVE"

  # Every write carries its own precondition and is tried again by the application: locks would only make writers wait
  # (cloud.google.com/firestore/docs/transaction-data-contention).
  concurrency_mode            = "OPTIMISTIC"
  app_engine_integration_mode = "DISABLED"

  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"

  delete_protection_state = (
    var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  )
  # The default only forgets the database: destroy would leave it and its bill behind.
  deletion_policy = "DELETE"
}

# The document as JSON text is never searched for: its index would cut it at 1,500 bytes and cost each write.
resource "google_firestore_field" "document" {
  for_each = var.collections

  project    = var.project
  database   = google_firestore_database.this.name
  collection = "${var.name}-${each.key}"
  field      = "document"

  index_config {}
}

# A timestamp that only grows makes a hot spot in an index; the TTL policy needs none
# (cloud.google.com/firestore/docs/ttl#ttl_fields_and_indexes).
resource "google_firestore_field" "expires_at" {
  for_each = { for name, collection in var.collections : name => collection if collection.ttl }

  project    = var.project
  database   = google_firestore_database.this.name
  collection = "${var.name}-${each.key}"
  field      = "expires_at"

  index_config {}
  ttl_config {}
}

resource "google_firestore_index" "this" {
  for_each = local.indexes

  project     = var.project
  database    = google_firestore_database.this.name
  collection  = "${var.name}-${each.value.collection}"
  query_scope = "COLLECTION"

  fields {
    field_path = "${each.value.index}_partition"
    order      = "ASCENDING"
  }

  # The key follows in the same order by itself (cloud.google.com/firestore/docs/query-data/index-overview).
  fields {
    field_path = "${each.value.index}_sort"
    order      = each.value.order
  }
}
