# What the root refuses before anything is made, each by its own variable.

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
  topology_file  = "tests/fixtures/topology.json"

  oidc = {
    issuer   = "https://id.example.com/"
    audience = "orders"
    jwks_url = "https://id.example.com/jwks.json"
  }
}

run "a_project_number_is_no_account_id" {
  command = plan

  variables {
    account_id = "123456789012"
  }

  expect_failures = [var.account_id]
}

run "an_alarm_address_without_a_domain_is_refused" {
  command = plan

  variables {
    alarm_email = "alarms"
  }

  expect_failures = [var.alarm_email]
}

run "a_budget_of_nothing_is_refused" {
  command = plan

  variables {
    budget_monthly = 0
  }

  expect_failures = [var.budget_monthly]
}

run "an_unknown_environment_is_refused" {
  command = plan

  variables {
    environment = "production"
  }

  expect_failures = [var.environment]
}

run "a_repository_without_its_owner_is_refused" {
  command = plan

  variables {
    github_repository = "orders"
  }

  expect_failures = [var.github_repository]
}

run "a_label_in_upper_case_is_refused" {
  command = plan

  variables {
    labels = { Team = "orders" }
  }

  expect_failures = [var.labels]
}

run "a_log_retention_that_not_all_clouds_take_is_refused" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "an_issuer_without_tls_is_refused" {
  command = plan

  variables {
    oidc = { issuer = "http://id.example.com/", audience = "orders", jwks_url = "https://id.example.com/jwks.json" }
  }

  expect_failures = [var.oidc]
}

run "an_empty_audience_is_refused" {
  command = plan

  variables {
    oidc = { issuer = "https://id.example.com/", audience = "", jwks_url = "https://id.example.com/jwks.json" }
  }

  expect_failures = [var.oidc]
}

run "a_missing_package_is_refused" {
  command = plan

  variables {
    package_file = "tests/fixtures/nothing.zip"
  }

  expect_failures = [var.package_file]
}

run "a_prefix_of_ten_characters_is_refused" {
  command = plan

  variables {
    prefix = "orderflows"
  }

  expect_failures = [var.prefix]
}

run "a_prefix_with_a_hyphen_is_refused" {
  command = plan

  variables {
    prefix = "order-1"
  }

  expect_failures = [var.prefix]
}

run "a_zone_is_no_region" {
  command = plan

  variables {
    region = "europe-west1-b"
  }

  expect_failures = [var.region]
}

run "a_secret_that_no_service_uses_is_refused" {
  command = plan

  variables {
    secrets = ["nobody"]
  }

  expect_failures = [var.secrets]
}

run "a_setting_that_is_not_ours_is_refused" {
  command = plan

  variables {
    settings = { PATH = "/" }
  }

  expect_failures = [var.settings]
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
