# What an operator can get wrong is refused, with a message, before AWS is asked anything.

mock_provider "aws" {}

variables {
  account_id     = "123456789012"
  alarm_email    = "alarms@example.com"
  budget_monthly = 50
  environment    = "dev"
  package_file   = "tests/fixtures/package.zip"
  region         = "eu-west-1"
  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "what_is_not_what_it_should_be_is_refused" {
  command = plan

  variables {
    account_id         = "my-project"
    alarm_email        = "nobody"
    budget_monthly     = 0
    environment        = "production"
    github_repository  = "orders"
    labels             = { "Cost Center" = "42" }
    log_retention_days = 7
    package_file       = "tests/fixtures/no-such.zip"
    prefix             = "abcdefghij"
    region             = "westeurope"
    settings           = { PYTHONPATH = "/tmp" }
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

run "one_package_without_the_other_is_refused" {
  command = plan

  variables {
    package_file = "tests/fixtures/package-tokens.zip"
  }

  expect_failures = [var.package_file]
}

run "tokens_for_anybody_and_a_secret_for_nobody_are_refused" {
  command = plan

  variables {
    secrets = ["printer"]
    oidc = {
      issuer   = "https://id.example.com/"
      audience = ""
      jwks_url = "https://id.example.com/jwks.json"
    }
  }

  expect_failures = [var.oidc, var.secrets]
}

run "a_file_that_is_no_topology_is_refused" {
  command = plan

  variables {
    topology_file = "tests/fixtures/no-topology.json"
  }

  expect_failures = [var.topology_file]
}

run "events_that_are_to_be_signed_without_a_key_are_refused" {
  command = plan

  variables {
    settings = { signatures = "require" }
  }

  expect_failures = [var.secrets]
}
