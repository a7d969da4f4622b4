# What must differ between the environments: what their files say, followed to the resources.

mock_provider "google" {}

run "production_keeps_its_documents" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    collections         = { orders = { indexes = [], ttl = false } }
    deletion_protection = regex("(?m)^deletion_protection\\s*= (true|false)$", file("environments/prod.tfvars"))[0]
    name                = "orderflow-prod"
    project             = "my-project"
    region              = "europe-west1"
  }

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "Production must refuse to lose data."
  }
}

run "production_keeps_its_archive" {
  command = plan

  module {
    source = "./modules/objects"
  }

  variables {
    buckets             = ["archive"]
    deletion_protection = regex("(?m)^deletion_protection\\s*= (true|false)$", file("environments/prod.tfvars"))[0]
    name                = "orderflow-prod"
    project             = { id = "my-project", number = "123456789012" }
    region              = "europe-west1"
    sinks               = {}
    topic               = "projects/my-project/topics/orderflow-prod-events"
    watchers            = {}
  }

  assert {
    condition     = !google_storage_bucket.this["archive"].force_destroy
    error_message = "Production must refuse to lose its archive."
  }
}

run "development_can_be_thrown_away" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    collections         = { orders = { indexes = [], ttl = false } }
    deletion_protection = regex("(?m)^deletion_protection\\s*= (true|false)$", file("environments/dev.tfvars"))[0]
    name                = "orderflow-dev"
    project             = "my-project"
    region              = "europe-west1"
  }

  assert {
    condition     = google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED"
    error_message = "Development must be destroyable."
  }
}

run "production_keeps_its_logs_for_a_year" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email        = "alarms@example.com"
    dead_letter_queues = { pay = "projects/p/subscriptions/orderflow-prod-pay-dlq" }
    functions          = { door = "orderflow-prod-door", pay = "orderflow-prod-pay" }
    log_retention_days = regex("(?m)^log_retention_days\\s*= (\\d+)$", file("environments/prod.tfvars"))[0]
    name               = "orderflow-prod"
    project            = "my-project"
    queues             = { pay = "projects/p/subscriptions/orderflow-prod-pay" }
    region             = "europe-west1"
    services = {
      door = { trigger = "http", emits = ["Placed"], limits = { oldest_message_alarm_s = 300 } }
      pay  = { trigger = "queue", hears = ["Placed"], emits = ["Paid"], limits = { oldest_message_alarm_s = 120 } }
    }
    sinks            = {}
    topic            = "orderflow-prod-events"
    business_metrics = false
    webhooks         = []
  }

  assert {
    condition     = google_logging_project_bucket_config.this.retention_days == 365
    error_message = "Production keeps its logs for a year."
  }
}
