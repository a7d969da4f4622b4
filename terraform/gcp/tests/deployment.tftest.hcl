# The whole root on the topology as it is: every service has what it needs, and names fit. A mocked provider proves what
# is asked of Google Cloud, not that Google Cloud grants it.

mock_provider "google" {
  mock_data "google_project" {
    defaults = {
      billing_account = "000000-000000-000000"
      number          = "123456789012"
    }
  }
}

mock_provider "time" {}

variables {
  account_id        = "my-project"
  alarm_email       = "alarms@example.com"
  budget_monthly    = 50
  environment       = "dev"
  github_repository = "acme/orders"
  package_file      = "tests/fixtures/package.zip"
  region            = "europe-west1"
  secrets           = ["gateway"]
  settings          = { log_level = "DEBUG" }

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

# One run for all of it: planning the whole root is what takes time.
run "every_service_collection_and_bucket_of_the_topology_has_all_that_it_needs" {
  command = plan

  assert {
    condition = toset(keys(output.queues)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["queue", "object"], service.trigger)
    ])
    error_message = "A service without a queue never hears anything."
  }

  assert {
    condition     = keys(output.queues) == keys(output.dead_letter_queues) && keys(output.queues) == keys(module.messaging.redrive_topics)
    error_message = "A service without a dead-letter queue loses what it gives up, one without a redrive topic never gets it back."
  }

  assert {
    condition     = output.queues["payment"] == "projects/my-project/subscriptions/orderflow-dev-payment" && output.dead_letter_queues["payment"] == "${output.queues["payment"]}-dlq"
    error_message = "deadletters.py finds its queues by these names."
  }

  assert {
    condition = toset(keys(output.functions)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if service.trigger != "sink"
    ])
    error_message = "A service of the topology has no function."
  }

  assert {
    condition = length(distinct(compact(flatten([for accounts in values(module.functions.identities) : values(accounts)])))) == length(
      compact(flatten([for accounts in values(module.functions.identities) : values(accounts)]))
    )
    error_message = "Two services share an identity, or a caller is what it calls."
  }

  assert {
    condition = alltrue([
      for name, accounts in module.functions.identities :
      (accounts.caller == null) == (jsondecode(file("../../topology.json")).services[name].trigger == "http")
    ])
    error_message = "Each function but the HTTP API has one caller of its own."
  }

  assert {
    condition = toset(keys(module.observability.alarms)) == toset(flatten([
      ["amplification-deliveries", "amplification-executions", "amplification-publishes"],
      [for name, service in jsondecode(file("../../topology.json")).services : {
        http     = ["${name}-errors", "${name}-p95", "${name}-throttles"]
        object   = ["${name}-dead-letters", "${name}-errors", "${name}-oldest", "${name}-p95", "${name}-throttles"]
        queue    = ["${name}-dead-letters", "${name}-errors", "${name}-oldest", "${name}-p95", "${name}-throttles"]
        schedule = ["${name}-errors", "${name}-p95", "${name}-throttles"]
        sink     = ["${name}-oldest"]
      }[service.trigger]],
    ]))
    error_message = "An alarm is missing, or watches nothing."
  }

  assert {
    condition     = toset(keys(output.stores)) == toset(keys(jsondecode(file("../../topology.json")).collections))
    error_message = "A collection has no definition."
  }

  assert {
    condition     = output.archive_bucket == "orderflow-dev-archive-my-project" && output.drop_bucket == "orderflow-dev-drop-my-project"
    error_message = "The buckets are not those of the topology."
  }

  assert {
    condition = output.environment == tomap({
      GOOGLE_CLOUD_PROJECT         = "my-project"
      ORDERFLOW_ARCHIVE_BUCKET     = "orderflow-dev-archive-my-project"
      ORDERFLOW_AUDIENCE           = "orders"
      ORDERFLOW_DROP_BUCKET        = "orderflow-dev-drop-my-project"
      ORDERFLOW_FIRESTORE_DATABASE = "orderflow-dev"
      ORDERFLOW_ISSUER             = "https://id.example.com/"
      ORDERFLOW_JWKS_URL           = "https://id.example.com/jwks.json"
      ORDERFLOW_LOG_LEVEL          = "DEBUG"
      ORDERFLOW_PREFIX             = "orderflow-dev"
    })
    error_message = "orderflow_gcp.wiring.bootstrap would miss a variable."
  }
}

run "names_fit_with_the_longest_prefix_environment_and_project" {
  command = plan

  variables {
    account_id  = "a-project-id-of-thirty-charact"
    environment = "staging"
    prefix      = "orderflow"
  }

  assert {
    condition     = alltrue([for name in values(output.functions) : length(name) <= 49])
    error_message = "The name of a Cloud Run service has 49 characters at most."
  }

  assert {
    condition = alltrue([
      for email in compact(flatten([for accounts in values(module.functions.identities) : values(accounts)])) :
      can(regex("^[a-z]([-a-z0-9]{4,28}[a-z0-9])@", email))
    ])
    error_message = "The id of a service account has 6 to 30 characters."
  }

  assert {
    condition     = alltrue([for name in concat(values(module.objects.buckets), [module.functions.source_bucket]) : length(name) <= 63])
    error_message = "The name of a bucket has 63 characters at most."
  }
}
