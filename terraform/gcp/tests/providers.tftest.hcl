# Real providers, each for the services that use its system, with the right to read its secret and nothing else.

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
  topology_file  = "../../topology.json"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "without_a_choice_nothing_is_told" {
  command = plan

  assert {
    condition     = alltrue([for settings in values(module.functions.provider_settings) : length(settings) == 0])
    error_message = "A function is told of a provider that nobody has chosen."
  }

  assert {
    condition     = !contains(keys(module.observability.alarms), "refunds-and-disputes")
    error_message = "An alarm waits for what nobody will tell."
  }
}

run "stripe_is_told_to_payment_alone" {
  command = plan

  variables {
    secrets = ["gateway"]
    systems = { gateway = { provider = "stripe" } }
  }

  assert {
    condition     = [for service, settings in module.functions.provider_settings : service if length(settings) > 0] == ["payment"] && module.functions.provider_settings.payment.ORDERFLOW_GATEWAY == "stripe"
    error_message = "The gateway's provider is told to another function than payment."
  }
}

run "push_by_firebase_is_told_to_the_service_that_sends_it" {
  command = plan

  variables {
    secrets = ["push"]
    systems = { push = { provider = "fcm" } }
  }

  assert {
    condition     = jsonencode(module.functions.provider_settings.push) == jsonencode({ ORDERFLOW_PUSH = "fcm" }) && length(module.functions.provider_settings.payment) == 0
    error_message = "A function is not told who its provider is, or is told of another's."
  }
}

run "stripes_webhook_is_heard_by_the_api_with_its_secret_and_the_gateways" {
  command = plan

  variables {
    secrets = ["gateway", "webhook"]
    systems = { gateway = { provider = "stripe" }, webhook = { provider = "stripe" } }
  }

  assert {
    condition     = jsonencode(module.functions.provider_settings.api) == jsonencode({ ORDERFLOW_WEBHOOK = "stripe" }) && jsonencode(module.functions.provider_settings.payment) == jsonencode({ ORDERFLOW_GATEWAY = "stripe" })
    error_message = "The API is not told that Stripe is heard, or another function is."
  }

  assert {
    condition     = module.functions.secret_readers == toset(["api-gateway", "api-webhook", "payment-gateway"])
    error_message = "The webhook's secret can be read by another function than the API, or not by it."
  }

  assert {
    condition     = alltrue([for word in ["\"${module.functions.functions.api}\"", "\"refund-failed\"", "\"dispute-opened\""] : strcontains(module.observability.told_filters.api, word)]) && contains(keys(module.observability.alarms), "refunds-and-disputes")
    error_message = "A refund that fails after all, or a dispute, wakes nobody."
  }
}

run "a_webhook_without_its_gateway_is_refused" {
  command = plan

  variables {
    secrets = ["webhook"]
    systems = { webhook = { provider = "stripe" } }
  }

  expect_failures = [var.systems]
}

run "a_webhooks_secret_without_the_webhook_is_refused" {
  command = plan

  variables {
    secrets = ["gateway", "webhook"]
    systems = { gateway = { provider = "stripe" } }
  }

  expect_failures = [var.systems]
}

run "a_provider_without_its_secret_is_refused" {
  command = plan

  variables {
    systems = { gateway = { provider = "stripe" } }
  }

  expect_failures = [var.systems]
}

run "a_provider_that_there_is_not_and_a_system_that_nobody_uses_are_refused" {
  command = plan

  variables {
    secrets = ["gateway"]
    systems = { gateway = { provider = "paypal" }, printer = { provider = "simulated" } }
  }

  expect_failures = [var.systems]
}
