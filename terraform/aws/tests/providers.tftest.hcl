# Real providers, each for the services that use its system, with the right to read its secret and nothing else.

mock_provider "aws" {}

variables {
  account_id     = "123456789012"
  alarm_email    = "alarms@example.com"
  budget_monthly = 50
  environment    = "dev"
  package_file   = "tests/fixtures/package.zip"
  region         = "eu-west-1"
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
    condition     = !contains(module.observability.alarm_names, "orderflow-dev-refunds-and-disputes")
    error_message = "An alarm waits for what nobody will tell."
  }

  assert {
    condition     = module.api.unguarded_routes == toset(["GET /health", "GET /openapi.json"])
    error_message = "A route is open that nobody has chosen."
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

run "mail_by_ses_and_texts_by_sns_are_allowed_to_who_sends_them_and_to_nobody_else" {
  command = plan

  variables {
    systems = {
      email = { provider = "ses", options = { from = "Shop <shop@example.com>" } }
      sms   = { provider = "sns" }
    }
  }

  assert {
    condition = jsonencode(module.functions.provider_settings.email) == jsonencode({
      ORDERFLOW_EMAIL      = "ses"
      ORDERFLOW_EMAIL_FROM = "Shop <shop@example.com>"
    }) && jsonencode(module.functions.provider_settings.sms) == jsonencode({ ORDERFLOW_SMS = "sns" }) && length(module.functions.provider_settings.payment) == 0
    error_message = "A function is not told who its provider is, or is told of another's."
  }

  assert {
    condition     = join(",", module.functions.grants.email.SendEmails.resources) == "arn:aws:ses:eu-west-1:123456789012:identity/shop@example.com,arn:aws:ses:eu-west-1:123456789012:identity/example.com"
    error_message = "E-mail can be sent by another identity than the shop's."
  }

  assert {
    condition     = !anytrue([for service, grants in module.functions.grants : can(grants.SendEmails) if service != "email"])
    error_message = "Another service than email may send e-mail."
  }

  assert {
    condition     = !can(module.functions.grants.email.ReadSecrets)
    error_message = "SES needs no secret."
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
    condition     = join(",", module.functions.grants.api.ReadSecrets.resources) == "arn:aws:secretsmanager:eu-west-1:123456789012:secret:orderflow-dev-gateway-??????,arn:aws:secretsmanager:eu-west-1:123456789012:secret:orderflow-dev-webhook-??????" && length(module.functions.grants.payment.ReadSecrets.resources) == 1
    error_message = "The webhook's secret can be read by another function than the API, or not by it."
  }

  assert {
    condition     = module.api.unguarded_routes == toset(["GET /health", "GET /openapi.json", "POST /webhooks/stripe"])
    error_message = "Stripe has no bearer token: the gateway must let it through to the function, which checks its signature."
  }

  assert {
    condition     = contains(module.observability.alarm_names, "orderflow-dev-refunds-and-disputes")
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
