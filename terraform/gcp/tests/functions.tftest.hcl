# Functions by themselves: what each runs as, may do, and lets in.

mock_provider "google" {}
mock_provider "time" {}

variables {
  buckets               = { archive = "an-archive", drop = "a-drop" }
  database              = "projects/my-project/databases/orderflow-dev"
  dead_letter_topics    = { files = "orderflow-dev-files-dlq", pay = "orderflow-dev-pay-dlq" }
  claims                = { bucket = "an-archive", prefix = "claims/" }
  drop_bucket           = "a-drop"
  environment_variables = { ORDERFLOW_PREFIX = "orderflow-dev" }
  name                  = "orderflow-dev"
  oidc                  = { issuer = "https://i", audience = "orders", jwks_url = "https://i/jwks" }
  package_file          = "tests/fixtures/package.zip"
  project               = { id = "my-project", number = "123456789012" }
  quarantine            = { bucket = "an-archive", prefix = "quarantine/" }
  region                = "europe-west1"
  secrets               = ["gateway"]
  topic                 = "orderflow-dev-events"

  services = {
    door = {
      trigger     = "http"
      collections = { read = ["catalogue"], write = ["orders"] }
      emits       = ["Placed"]
      limits      = { max_concurrency = 50, memory_mb = 512, timeout_s = 15 }
      uses        = []
    }
    files = {
      trigger     = "object"
      bucket      = "drop"
      collections = { read = [], write = ["stock"] }
      emits       = []
      limits      = { max_concurrency = 2, memory_mb = 256, timeout_s = 50 }
      uses        = []
    }
    look = {
      trigger     = "schedule"
      collections = { read = ["orders"], write = [] }
      emits       = []
      limits      = { max_concurrency = 1, memory_mb = 256, timeout_s = 50 }
      uses        = []
    }
    pay = {
      trigger     = "queue"
      collections = { read = [], write = ["payments"] }
      emits       = ["Paid"]
      hears       = ["Placed"]
      limits      = { max_concurrency = 10, memory_mb = 256, timeout_s = 30 }
      uses        = ["gateway"]
    }
  }
}

run "a_function_has_its_services_limits" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition = alltrue([
      for name, service in var.services :
      google_cloudfunctions2_function.this[name].build_config[0].runtime == "python313"
      && google_cloudfunctions2_function.this[name].service_config[0].timeout_seconds == service.limits.timeout_s
      && google_cloudfunctions2_function.this[name].service_config[0].available_memory == "${service.limits.memory_mb}Mi"
      && google_cloudfunctions2_function.this[name].service_config[0].max_instance_count == service.limits.max_concurrency
      && google_cloudfunctions2_function.this[name].service_config[0].max_instance_request_concurrency == 1
    ])
    error_message = "A function has other limits than its service: instances times requests is the concurrency."
  }
}

run "a_start_finds_bytecode_that_it_can_use" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.this :
      contains(keys(function.build_config[0].environment_variables), "SOURCE_DATE_EPOCH")
    ])
    error_message = "A function's files are compiled against times that the image does not keep."
  }
}

run "only_what_customers_call_is_open_to_the_internet" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition = alltrue([
      for name, service in var.services :
      google_cloudfunctions2_function.this[name].service_config[0].ingress_settings == (service.trigger == "http" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY")
    ])
    error_message = "A consumer takes requests from outside."
  }

  assert {
    condition = keys(google_cloud_run_v2_service_iam_member.caller) == ["files", "look", "pay"] && alltrue([
      for name, grant in google_cloud_run_v2_service_iam_member.caller :
      grant.name == "orderflow-dev-${name}"
      && grant.role == "roles/run.invoker"
      && grant.member == "serviceAccount:orderflow-dev-${name}-caller@my-project.iam.gserviceaccount.com"
    ])
    error_message = "A function may be called by somebody else than its one caller."
  }
}

run "a_function_is_told_who_may_call_it" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition = google_cloudfunctions2_function.this["pay"].service_config[0].environment_variables == tomap({
      ORDERFLOW_PREFIX               = "orderflow-dev"
      ORDERFLOW_PUSH_AUDIENCE        = "https://europe-west1-my-project.cloudfunctions.net/orderflow-dev-pay"
      ORDERFLOW_PUSH_SERVICE_ACCOUNT = "orderflow-dev-pay-caller@my-project.iam.gserviceaccount.com"
      ORDERFLOW_SERVICE              = "pay"
    })
    error_message = "A consumer reads other variables (orderflow_gcp/push.py, entrypoints.py)."
  }

  assert {
    condition = google_cloudfunctions2_function.this["door"].service_config[0].environment_variables == tomap({
      ORDERFLOW_AUDIENCE = "orders"
      ORDERFLOW_ISSUER   = "https://i"
      ORDERFLOW_JWKS_URL = "https://i/jwks"
      ORDERFLOW_PREFIX   = "orderflow-dev"
    })
    error_message = "The HTTP API reads other variables (orderflow/settings.py)."
  }

  assert {
    condition = {
      for name in keys(var.services) : name => google_cloudfunctions2_function.this[name].build_config[0].entry_point
    } == { door = "door", files = "files", look = "look", pay = "consume" }
    error_message = "functions/gcp/main.py has other targets."
  }
}

run "a_service_may_do_what_the_topology_says_and_nothing_else" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition = { for name, grant in google_project_iam_member.store : name => grant.role } == {
      door = "roles/datastore.user", files = "roles/datastore.user", look = "roles/datastore.viewer", pay = "roles/datastore.user"
    }
    error_message = "A service that only reads may write, or the other way round."
  }

  assert {
    condition = alltrue([
      for grant in values(google_project_iam_member.store) :
      grant.condition[0].expression == "resource.name == \"projects/my-project/databases/orderflow-dev\""
    ])
    error_message = "A service reaches the project's other databases."
  }

  assert {
    condition     = { for name, grant in google_pubsub_topic_iam_member.emits : name => grant.topic } == { door = "orderflow-dev-events", pay = "orderflow-dev-events" }
    error_message = "A service that emits nothing may publish, or one that emits may not."
  }

  assert {
    condition     = { for name, grant in google_pubsub_topic_iam_member.dead_letter : name => grant.topic } == { files = "orderflow-dev-files-dlq", pay = "orderflow-dev-pay-dlq" }
    error_message = "A service may dead-letter into another's queue."
  }

  assert {
    condition     = keys(google_storage_bucket_iam_member.dropped) == ["files"] && google_storage_bucket_iam_member.dropped["files"].bucket == "a-drop"
    error_message = "Only the service that watches a bucket reads it."
  }

  assert {
    condition     = google_storage_bucket_iam_member.quarantine["files"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/an-archive/objects/quarantine/\")"
    error_message = "A service that quarantines rows may overwrite the archive."
  }

  assert {
    condition = { for key, grant in google_storage_bucket_iam_member.claims : key => "${grant.role} ${grant.condition[0].expression}" } == {
      door-store = "roles/storage.objectUser resource.name.startsWith(\"projects/_/buckets/an-archive/objects/claims/\")"
      pay-redeem = "roles/storage.objectViewer resource.name.startsWith(\"projects/_/buckets/an-archive/objects/claims/\")"
      pay-store  = "roles/storage.objectUser resource.name.startsWith(\"projects/_/buckets/an-archive/objects/claims/\")"
    }
    error_message = "Who publishes stores the data of large events, who consumes reads them, and nobody reaches the rest of the archive."
  }

  assert {
    condition     = { for key, grant in google_secret_manager_secret_iam_member.reader : key => grant.member } == { "pay-gateway" = "serviceAccount:orderflow-dev-pay@my-project.iam.gserviceaccount.com" }
    error_message = "A secret is read by a service that does not use its system."
  }
}

run "nothing_but_the_door_could_be_public" {
  command = plan

  module {
    source = "./modules/functions"
  }

  assert {
    condition     = google_storage_bucket.source.public_access_prevention == "enforced" && google_storage_bucket.source.uniform_bucket_level_access
    error_message = "The package could be made public."
  }
}

run "an_identity_with_a_long_name_gets_a_short_one_that_is_its_own" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    name               = "orderflow-staging"
    dead_letter_topics = {}
    services = {
      notifications-of-customers = {
        trigger = "queue", collections = { read = [], write = [] }, emits = [], uses = ["gateway"]
        limits  = { max_concurrency = 1, memory_mb = 256, timeout_s = 30 }
      }
      notifications-of-suppliers = {
        trigger = "queue", collections = { read = [], write = [] }, emits = [], uses = []
        limits  = { max_concurrency = 1, memory_mb = 256, timeout_s = 30 }
      }
    }
  }

  assert {
    condition = length(toset([
      for account in concat(values(google_service_account.runtime), values(google_service_account.caller)) :
      account.account_id if can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", account.account_id))
    ])) == 4
    error_message = "Shortened ids collide, or are no ids."
  }
}

run "a_name_that_cloud_run_refuses_is_refused" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    dead_letter_topics = {}
    services = {
      a-service-whose-name-is-longer-than-it-may-ever-be = {
        trigger = "queue", collections = { read = [], write = [] }, emits = [], uses = ["gateway"]
        limits  = { max_concurrency = 1, memory_mb = 256, timeout_s = 30 }
      }
    }
  }

  expect_failures = [google_cloudfunctions2_function.this]
}

run "an_unknown_trigger_is_refused" {
  command = plan

  module {
    source = "./modules/functions"
  }

  variables {
    dead_letter_topics = {}
    secrets            = []
    services = {
      pay = {
        trigger = "smoke", collections = { read = [], write = [] }, emits = [], uses = []
        limits  = { max_concurrency = 1, memory_mb = 256, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}
