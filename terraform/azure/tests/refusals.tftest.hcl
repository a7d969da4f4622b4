# What the root refuses before anything is made, each by its own variable and with a message that says why.

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
  topology_file  = "tests/fixtures/topology.json"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "values_of_the_wrong_form_are_refused_each_by_its_own_variable" {
  command = plan

  variables {
    account_id         = "my-subscription"
    alarm_email        = "alarms"
    budget_monthly     = 0
    environment        = "test"
    github_repository  = "https://github.com/acme/orders"
    labels             = { Team = "Orders" }
    log_retention_days = 7
    package_file       = "tests/fixtures/no-package.zip"
    prefix             = "order-flow"
    region             = "West Europe"
    settings           = { ORDERFLOW_HIGH_FROM = "1" }

    oidc = {
      issuer   = "http://id.example.com/"
      audience = "orders"
      jwks_url = "https://id.example.com/jwks.json"
    }
  }

  expect_failures = [
    var.account_id,
    var.alarm_email,
    var.budget_monthly,
    var.environment,
    var.github_repository,
    var.labels,
    var.log_retention_days,
    var.oidc,
    var.package_file,
    var.prefix,
    var.region,
    var.settings,
  ]
}

run "a_prefix_that_leaves_no_room_for_the_other_clouds_names_is_refused" {
  command = plan

  variables {
    prefix = "abcdefghij"
  }

  expect_failures = [var.prefix]
}

run "a_file_that_is_no_topology_is_refused" {
  command = plan

  variables {
    topology_file = "tests/fixtures/no-topology.json"
  }

  expect_failures = [var.topology_file]
}

# By itself: what secrets there may be depends on the settings.
run "a_secret_for_nobody_is_refused" {
  command = plan

  variables {
    secrets = ["gatekeeper"]
  }

  expect_failures = [var.secrets]
}

run "events_that_are_to_be_signed_without_a_key_are_refused" {
  command = plan

  variables {
    settings = { signatures = "require" }
  }

  expect_failures = [var.secrets]
}
