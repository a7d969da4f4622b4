# Documents and objects by themselves: protected, encrypted by default, closed to the public, indexed as
# functions/gcp/orderflow_gcp/store.py asks.

mock_provider "google" {
  mock_data "google_storage_project_service_account" {
    defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

variables {
  deletion_protection = true
  name                = "orderflow-dev"
  region              = "europe-west1"
}

run "the_database_can_be_had_back_and_is_not_deleted_by_mistake" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    project     = "my-project"
    collections = { orders = { indexes = ["customer", "due"], ttl = false }, attempts = { indexes = [], ttl = true } }
  }

  assert {
    condition = (
      google_firestore_database.this.type == "FIRESTORE_NATIVE"
      && google_firestore_database.this.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
      && google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    )
    error_message = "The database is not protected."
  }
}

run "a_collection_has_the_indexes_that_its_queries_need" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    project     = "my-project"
    collections = { orders = { indexes = ["customer", "due"], ttl = false }, attempts = { indexes = [], ttl = true } }
  }

  assert {
    condition = {
      for key, index in google_firestore_index.this : key => [index.collection, [for field in index.fields : "${field.field_path} ${field.order}"]]
      } == {
      orders-customer-ascending  = ["orderflow-dev-orders", ["customer_partition ASCENDING", "customer_sort ASCENDING"]]
      orders-customer-descending = ["orderflow-dev-orders", ["customer_partition ASCENDING", "customer_sort DESCENDING"]]
      orders-due-ascending       = ["orderflow-dev-orders", ["due_partition ASCENDING", "due_sort ASCENDING"]]
      orders-due-descending      = ["orderflow-dev-orders", ["due_partition ASCENDING", "due_sort DESCENDING"]]
    }
    error_message = "store.py would ask for an index that is not there."
  }

  assert {
    condition     = keys(google_firestore_field.document) == ["attempts", "orders"] && alltrue([for field in values(google_firestore_field.document) : length(field.index_config[0].indexes) == 0])
    error_message = "The whole document would be indexed."
  }

  assert {
    condition     = keys(google_firestore_field.expires_at) == ["attempts"] && length(google_firestore_field.expires_at["attempts"].ttl_config) == 1
    error_message = "Documents expire where the topology says so, and nowhere else."
  }
}

run "an_environment_without_protection_can_be_torn_down" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    project             = "my-project"
    deletion_protection = false
    collections         = {}
  }

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED" && google_firestore_database.this.deletion_policy == "DELETE"
    error_message = "A destroy would leave the database behind."
  }
}

run "no_bucket_is_public_and_none_with_objects_is_destroyed" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    project  = { id = "my-project", number = "123456789012" }
    buckets  = ["archive", "drop"]
    sinks    = { archive = { bucket = "archive", every_s = 300, prefix = "events/" } }
    topic    = "projects/my-project/topics/orderflow-dev-events"
    watchers = { files = { bucket = "drop", topic = "orderflow-dev-files" } }
  }

  assert {
    condition = alltrue([
      for bucket in values(google_storage_bucket.this) :
      bucket.public_access_prevention == "enforced"
      && bucket.uniform_bucket_level_access
      && bucket.versioning[0].enabled
      && !bucket.force_destroy
    ])
    error_message = "A bucket could be made public, or lose what it holds."
  }

  assert {
    condition = (
      [for rule in google_storage_bucket.this["archive"].lifecycle_rule : one(rule.action).type] == ["Delete", "SetStorageClass", "SetStorageClass"]
      && [for rule in google_storage_bucket.this["drop"].lifecycle_rule : one(rule.action).type] == ["Delete", "Delete"]
    )
    error_message = "The archive must be moved to cheaper classes and never be deleted while it is current."
  }
}

run "every_event_is_archived_as_json_lines_by_date" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    project  = { id = "my-project", number = "123456789012" }
    buckets  = ["archive", "drop"]
    sinks    = { archive = { bucket = "archive", every_s = 240, prefix = "events/" } }
    topic    = "projects/my-project/topics/orderflow-dev-events"
    watchers = { files = { bucket = "drop", topic = "orderflow-dev-files" } }
  }

  assert {
    condition = (
      google_pubsub_subscription.sink["archive"].topic == var.topic
      && google_pubsub_subscription.sink["archive"].filter == null
      && google_pubsub_subscription.sink["archive"].ack_deadline_seconds == 240
      && google_pubsub_subscription.sink["archive"].cloud_storage_config[0].max_duration == "240s"
      && google_pubsub_subscription.sink["archive"].cloud_storage_config[0].filename_prefix == "events/"
      && length(google_pubsub_subscription.sink["archive"].cloud_storage_config[0].avro_config) == 0
    )
    error_message = "The archive misses events, or is no text."
  }

  assert {
    condition     = toset([for grant in values(google_storage_bucket_iam_member.sink) : grant.role]) == toset(["roles/storage.legacyBucketReader", "roles/storage.objectCreator"])
    error_message = "Pub/Sub's agent needs exactly these roles to write to the bucket."
  }

  assert {
    condition     = google_storage_notification.this["files"].event_types == toset(["OBJECT_FINALIZE"]) && google_pubsub_topic_iam_member.watcher["files"].role == "roles/pubsub.publisher"
    error_message = "A written object is not heard of."
  }
}

run "a_batch_that_waits_longer_than_pubsub_lets_it_is_refused" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    project  = { id = "my-project", number = "123456789012" }
    buckets  = ["archive"]
    sinks    = { archive = { bucket = "archive", every_s = 900, prefix = "events/" } }
    topic    = "projects/my-project/topics/orderflow-dev-events"
    watchers = {}
  }

  expect_failures = [var.sinks]
}
