# A topology with a service that no HCL knows of: declaring it is all it takes. It is the real one made smaller, with the
# service `loyalty` and its collection added.

mock_provider "azapi" {}

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  account_id     = "11111111-2222-3333-4444-555555555555"
  alarm_email    = "alarms@example.com"
  budget_monthly = 50
  environment    = "dev"
  package_file   = "tests/fixtures/package.zip"
  region         = "westeurope"
  secrets        = ["ledger"]
  topology_file  = "tests/fixtures/topology.json"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "a_declared_service_gets_all_that_the_others_have_and_no_more" {
  command = plan

  assert {
    condition = alltrue([
      for present in [output.queues, output.dead_letter_queues, output.functions, output.stores, module.functions.identities, module.functions.host_account_names] :
      contains(keys(present), "loyalty")
    ])
    error_message = "Something of the new service is missing."
  }

  assert {
    condition     = module.messaging.locks["loyalty"] == "PT1M40S" && module.messaging.max_deliveries["loyalty"] == 20
    error_message = "The new service's queue does not have its limits."
  }

  assert {
    condition     = module.functions.instances["loyalty"].maximum == 3 && module.functions.instances["loyalty"].memory_mb == 2048 && module.functions.timeouts["loyalty"] == "00:00:40"
    error_message = "The new service's function does not have its limits."
  }

  assert {
    condition     = jsonencode(module.messaging.filters["loyalty"]) == jsonencode({ kind = ["OrderConfirmed", "ShipmentCreated"], tier = ["elevated", "high"] })
    error_message = "The new service's filter is ${jsonencode(module.messaging.filters["loyalty"])}"
  }

  assert {
    condition = tomap({ for why, role in module.functions.permissions : trimprefix(why, "loyalty/") => role if startswith(why, "loyalty/") }) == tomap({
      dead-letter    = "Azure Service Bus Data Sender"
      host           = "Storage Blob Data Owner"
      read-customers = "Storage Table Data Reader"
      receive        = "Azure Service Bus Data Receiver"
      redeem-claims  = "Storage Blob Data Reader"
      retry          = "Azure Service Bus Data Sender"
      secret-ledger  = "Key Vault Secrets User"
      telemetry      = "Monitoring Metrics Publisher"
      write-attempts = "Storage Table Data Contributor"
      write-breakers = "Storage Table Data Contributor"
      write-loyalty  = "Storage Table Data Contributor"
    })
    error_message = "The new service may do more or less than it declares."
  }

  assert {
    condition     = length([for alarm in keys(module.observability.alarms) : alarm if startswith(alarm, "loyalty-")]) == 4
    error_message = "The new service has not all its alarms."
  }

  assert {
    condition     = alltrue([for query in values(module.observability.queries) : strcontains(query, "\"${output.functions["loyalty"]}\"")])
    error_message = "The new service's function is not watched."
  }

  assert {
    condition     = length([for item in module.observability.dashboard_items : item if startswith(item, "loyalty: ")]) == 3
    error_message = "The new service has no row on the dashboard."
  }
}
