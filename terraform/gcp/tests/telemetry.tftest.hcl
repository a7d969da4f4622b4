# Traces and metrics: off unless asked for, and then what the functions are told.

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

run "telemetry_is_off_unless_it_is_asked_for" {
  command = plan

  assert {
    condition     = length([for name in keys(output.environment) : name if startswith(name, "OTEL_")]) == 0
    error_message = "Nothing is set: orderflow.telemetry imports nothing then."
  }

  assert {
    condition     = !contains([for tile in jsondecode(module.observability.dashboard_json).mosaicLayout.tiles : tile.widget.title], "Revenue, minor units")
    error_message = "A graph is shown that nobody fills."
  }
}

run "the_cloud_s_own_backends_need_no_address" {
  command = plan

  variables {
    telemetry = "cloud"
  }

  assert {
    condition     = { for name, value in output.environment : name => value if startswith(name, "OTEL_") } == { OTEL_METRICS_EXPORTER = "cloud", OTEL_RESOURCE_ATTRIBUTES = "cloud.region=europe-west1,cluster=orderflow-dev", OTEL_TRACES_EXPORTER = "cloud" }
    error_message = "Both go to the cloud's own, metrics with the location that it asks for."
  }

  assert {
    condition     = contains(keys(google_project_service.this), "telemetry.googleapis.com")
    error_message = "The endpoint that takes them is enabled."
  }

  assert {
    condition     = length(setintersection([for tile in jsondecode(module.observability.dashboard_json).mosaicLayout.tiles : tile.widget.title], ["Orders", "Cancelled, by reason", "Revenue, minor units", "Placed to shipped, s"])) == 4
    error_message = "What the business is doing is not on the dashboard."
  }
}

run "an_otlp_endpoint_is_given_by_its_address" {
  command = plan

  variables {
    telemetry = "https://otlp.example.com"
  }

  assert {
    condition     = { for name, value in output.environment : name => value if startswith(name, "OTEL_") } == { OTEL_EXPORTER_OTLP_ENDPOINT = "https://otlp.example.com", OTEL_METRICS_EXPORTER = "otlp", OTEL_TRACES_EXPORTER = "otlp" }
    error_message = "As OpenTelemetry names it."
  }
}

run "what_is_neither_is_refused" {
  command = plan

  variables {
    telemetry = "on"
  }

  expect_failures = [var.telemetry]
}
