# A topology with a service that no HCL knows of: declaring it is all it takes. It is the real one made smaller, with the
# service `loyalty` and its collection added.

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
  account_id     = "my-project"
  alarm_email    = "alarms@example.com"
  budget_monthly = 50
  environment    = "dev"
  package_file   = "tests/fixtures/package.zip"
  region         = "europe-west1"
  secrets        = ["ledger"]
  topology_file  = "tests/fixtures/topology.json"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "a_declared_service_gets_all_that_the_others_have" {
  command = plan

  assert {
    condition = alltrue([
      for present in [
        output.queues, output.dead_letter_queues, output.functions, output.stores,
        module.messaging.redrive_topics, module.functions.identities,
      ] : contains(keys(present), "loyalty")
    ])
    error_message = "Something of the new service is missing."
  }

  assert {
    condition     = contains(keys(module.functions.secrets), "ledger")
    error_message = "The secret of the external system that the new service uses is missing."
  }

  assert {
    condition     = module.messaging.filters["loyalty"] == "(attributes.kind = \"OrderConfirmed\" OR attributes.kind = \"ShipmentCreated\") AND (attributes.tier = \"elevated\" OR attributes.tier = \"high\")"
    error_message = "The new service's filter is ${module.messaging.filters["loyalty"]}"
  }

  assert {
    condition     = length([for alarm in keys(module.observability.alarms) : alarm if startswith(alarm, "loyalty-")]) == 5
    error_message = "The new service has not all its alarms."
  }

  assert {
    condition = length([
      for tile in jsondecode(module.observability.dashboard_json).mosaicLayout.tiles : tile if startswith(tile.widget.title, "loyalty: ")
    ]) == 4
    error_message = "The new service has no row on the dashboard."
  }
}

run "for_an_ordered_service_all_publish_in_order_in_one_region" {
  command = plan

  variables {
    topology_file = "tests/fixtures/ordered.json"
  }

  assert {
    condition     = output.environment.ORDERFLOW_ORDERING_REGION == "europe-west1"
    error_message = "The functions do not know that a service is ordered."
  }
}

run "without_one_nobody_hears_of_order" {
  command = plan

  assert {
    condition     = !contains(keys(output.environment), "ORDERFLOW_ORDERING_REGION")
    error_message = "Order costs something although nobody asked for it."
  }
}
