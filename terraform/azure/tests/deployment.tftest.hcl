# The whole root on the topology as it is: that each service has everything it needs, and that names fit. A mocked
# provider proves what is asked of Azure, not that Azure grants it.

mock_provider "azapi" {}

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  account_id        = "11111111-2222-3333-4444-555555555555"
  alarm_email       = "alarms@example.com"
  budget_monthly    = 50
  environment       = "dev"
  github_repository = "acme/orders"
  package_file      = "tests/fixtures/package.zip"
  region            = "westeurope"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "every_service_hears_its_events_in_a_queue_of_its_own" {
  command = plan

  assert {
    condition = toset(keys(output.queues)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["queue", "object", "sink"], service.trigger)
    ])
    error_message = "A service without a queue never hears anything."
  }

  assert {
    condition = toset(keys(output.dead_letter_queues)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["queue", "object"], service.trigger)
    ])
    error_message = "A service without a dead-letter queue loses what it gives up on."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      jsonencode(module.messaging.filters[name]) == jsonencode({ for key in sort(keys(service.filter)) : key => service.filter[key] }) if service.trigger == "queue"
    ])
    error_message = "A subscription's filter is not the topology's."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services : length(module.messaging.filters[name]) == 0 if service.trigger == "sink"
    ])
    error_message = "The archive does not hear everything."
  }

  assert {
    condition = toset(keys(module.messaging.filters)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["queue", "sink"], service.trigger)
    ])
    error_message = "Only consumers and the archive subscribe to the topic."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      module.objects.watched[name] == "/blobServices/default/containers/${service.bucket}/blobs/" if service.trigger == "object"
    ])
    error_message = "A file in another container would be loaded, or none at all."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      timeadd("2000-01-01T00:00:00Z", lower(trimprefix(module.messaging.locks[name], "PT"))) == timeadd("2000-01-01T00:00:00Z", "${service.limits.lock_s}s")
      if contains(["queue", "object"], service.trigger)
    ])
    error_message = "A queue's lock is not as long as the topology says."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      module.messaging.max_deliveries[name] == service.limits.broker_max_deliveries if contains(["queue", "object"], service.trigger)
    ])
    error_message = "Service Bus gives up earlier or later than the topology says."
  }
}

run "an_operator_and_a_function_find_the_deployment_by_the_same_variables" {
  command = plan

  variables {
    settings = { log_level = "DEBUG" }
  }

  # Some values are unknown until Azure answers them.
  assert {
    condition = toset(keys(output.environment)) == toset([
      "ORDERFLOW_ARCHIVE_CONTAINER",
      "ORDERFLOW_AUDIENCE",
      "ORDERFLOW_DROP_CONTAINER",
      "ORDERFLOW_EVENTGRID_ENDPOINT",
      "ORDERFLOW_ISSUER",
      "ORDERFLOW_JWKS_URL",
      "ORDERFLOW_LOG_LEVEL",
      "ORDERFLOW_PREFIX",
      "ORDERFLOW_SERVICEBUS__fullyQualifiedNamespace",
      "ORDERFLOW_STORAGE__blobServiceUri",
      "ORDERFLOW_STORAGE__tableServiceUri",
    ])
    error_message = "orderflow_azure.wiring.bootstrap would miss a variable."
  }

  assert {
    condition     = output.environment["ORDERFLOW_LOG_LEVEL"] == "DEBUG" && output.environment["ORDERFLOW_PREFIX"] == "orderflow-dev"
    error_message = "A setting is not handed on."
  }
}

run "every_service_runs_as_itself_and_within_its_limits" {
  command = plan

  assert {
    condition     = toset(keys(output.functions)) == toset(keys(jsondecode(file("../../topology.json")).services))
    error_message = "A service has no function."
  }

  assert {
    condition     = length(distinct(values(module.functions.identities))) == length(output.functions)
    error_message = "Two services share an identity."
  }

  assert {
    condition     = length(distinct(values(module.functions.host_account_names))) == length(output.functions)
    error_message = "Two services share a host account: one could put its package in the place of the other's."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      module.functions.timeouts[name] == formatdate("hh:mm:ss", timeadd("2000-01-01T00:00:00Z", "${service.limits.timeout_s}s")) if can(service.limits)
    ])
    error_message = "A function may run for longer or shorter than the topology says."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      module.functions.instances[name].maximum == service.limits.max_concurrency if contains(["object", "queue", "schedule"], service.trigger)
    ])
    error_message = "More or fewer batches of a service run at a time than the topology says."
  }

  assert {
    condition = alltrue([
      for name, service in jsondecode(file("../../topology.json")).services :
      module.functions.instances[name].maximum * module.api.http_concurrency[name] <= service.limits.max_concurrency if service.trigger == "http"
    ])
    error_message = "The API serves more requests at a time than the topology says."
  }

  assert {
    condition = toset([for why, role in module.functions.permissions : why if role == "Storage Table Data Contributor"]) == toset(flatten([
      for name, service in jsondecode(file("../../topology.json")).services : [for collection in service.collections.write : "${name}/write-${collection}"] if can(service.collections)
    ]))
    error_message = "What may be written is not what the topology says."
  }

  assert {
    condition = toset([for why, role in module.functions.permissions : why if role == "Storage Table Data Reader"]) == toset(flatten([
      for name, service in jsondecode(file("../../topology.json")).services : [for collection in setsubtract(service.collections.read, service.collections.write) : "${name}/read-${collection}"] if can(service.collections)
    ]))
    error_message = "What may be read is not what the topology says."
  }

  assert {
    condition = toset([for why, role in module.functions.permissions : why if role == "EventGrid Data Sender"]) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : "${name}/publish" if length(try(service.emits, [])) > 0
    ])
    error_message = "A service that emits nothing may publish, or one that emits may not."
  }

  assert {
    condition     = module.functions.open == toset([for name, service in jsondecode(file("../../topology.json")).services : name if service.trigger == "http"])
    error_message = "A consumer can be called from the internet."
  }

  assert {
    condition     = module.store.table_names["orders"] == "orderflowdevorders"
    error_message = "orderflow_azure.store.table_name would look for another table."
  }
}

run "everything_is_watched" {
  command = plan

  assert {
    condition = alltrue([
      for name in keys(output.queues) : alltrue([for alarm in ["crashes", "oldest-message"] : contains(keys(module.observability.alarms), "${name}-${alarm}")])
    ])
    error_message = "A queue is not watched."
  }

  assert {
    condition     = alltrue([for name in keys(output.dead_letter_queues) : contains(keys(module.observability.alarms), "${name}-dead-letters")])
    error_message = "Dead letters of a service would go unnoticed."
  }

  assert {
    condition     = alltrue([for name in keys(module.messaging.subscription_names) : contains(keys(module.observability.alarms), "${name}-undelivered")])
    error_message = "Events that do not reach a queue would go unnoticed."
  }

  assert {
    condition = alltrue([
      for name in keys(output.queues) : length([for item in module.observability.dashboard_items : item if startswith(item, "${name}: ")]) == 3
    ])
    error_message = "A queue has no row on the dashboard."
  }

  assert {
    condition = alltrue(flatten([
      for about in ["errors", "slow", "amplification"] : [for name in values(output.functions) : strcontains(module.observability.queries[about], "\"${name}\"")]
    ]))
    error_message = "A function is not watched."
  }

  assert {
    condition     = alltrue([for about in ["bus", "objects", "store", "topic"] : contains(keys(module.observability.alarms), "${about}-throttles")])
    error_message = "Throttling would go unnoticed."
  }

  assert {
    condition = toset(keys(module.schedule.alarms)) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : name if contains(["schedule", "sink"], service.trigger)
    ])
    error_message = "A timer that stopped would go unnoticed."
  }
}

run "names_fit_with_the_longest_prefix_and_environment_and_differ_by_subscription" {
  command = plan

  variables {
    account_id  = "99999999-2222-3333-4444-555555555555"
    environment = "staging"
    prefix      = "abcdefghi"
  }

  assert {
    condition     = alltrue([for name in concat(values(module.functions.host_account_names), [module.objects.account_name, module.store.account_name]) : can(regex("^[a-z0-9]{3,24}$", name))])
    error_message = "A storage account's name is too long."
  }

  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", module.functions.vault_name))
    error_message = "The key vault's name is too long."
  }

  assert {
    condition     = length(module.messaging.namespace_name) <= 50 && length(module.messaging.topic_name) <= 50
    error_message = "The name of the namespace or the topic is too long."
  }

  assert {
    condition     = alltrue([for name in values(output.functions) : can(regex("^[a-z0-9-]{2,60}$", name))])
    error_message = "A function app's name is too long."
  }

  assert {
    condition     = alltrue([for name in values(module.store.table_names) : can(regex("^[a-z][a-z0-9]{2,62}$", name))])
    error_message = "A table's name is too long."
  }

  assert {
    condition     = module.messaging.namespace_name != "abcdefghi-staging-${substr(sha1("11111111-2222-3333-4444-555555555555/abcdefghi-staging"), 0, 5)}"
    error_message = "The name does not depend on the subscription."
  }
}

run "who_emits_or_hears_signed_events_reads_the_keys_and_nobody_else_does" {
  command = plan

  variables {
    secrets  = ["signing"]
    settings = { signatures = "require" }
  }

  assert {
    condition = toset([for why, role in module.functions.permissions : why if role == "Key Vault Secrets User"]) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : "${name}/secret-signing" if length(concat(try(service.emits, []), try(service.hears, []))) > 0
    ])
    error_message = "A key can be read by a service that has no events, or not by one that has."
  }
}

run "prod_is_kept_in_three_zones_and_locked_and_secrets_are_read_by_those_who_use_them" {
  command = plan

  variables {
    environment = "prod"
    secrets     = ["gateway"]
  }

  assert {
    condition     = module.store.replication == "ZRS" && module.store.locked
    error_message = "Prod's orders would be lost with a zone, or by a mistake."
  }

  assert {
    condition = toset([for why, role in module.functions.permissions : why if role == "Key Vault Secrets User"]) == toset([
      for name, service in jsondecode(file("../../topology.json")).services : "${name}/secret-gateway" if contains(try(service.uses, []), "gateway")
    ])
    error_message = "A secret can be read by a service that does not use it, or not by one that does."
  }
}

run "dev_costs_less_can_be_thrown_away_and_needs_no_ci" {
  command = plan

  variables {
    deletion_protection = false
    github_repository   = null
  }

  assert {
    condition     = module.store.replication == "LRS" && !module.store.locked
    error_message = "Dev is kept as if it were prod."
  }

  assert {
    condition     = output.ci_identity == null
    error_message = "There is an identity that nobody should have."
  }
}
