# What is around the workflow, by itself: the door, the clock, alarms, budget, CI.

mock_provider "google" {}

run "the_door_alone_is_open_to_all_who_have_a_token" {
  command = plan

  module {
    source = "./modules/api"
  }

  variables {
    functions = { door = "orderflow-dev-door" }
    project   = "my-project"
    region    = "europe-west1"
    urls      = { door = "https://door.run.app", pay = "https://pay.run.app" }
  }

  assert {
    condition     = keys(google_cloud_run_v2_service_iam_member.public) == ["door"] && google_cloud_run_v2_service_iam_member.public["door"].member == "allUsers"
    error_message = "Customers cannot come in, or can elsewhere."
  }

  assert {
    condition     = output.url == "https://door.run.app"
    error_message = "The API's address is another function's."
  }
}

run "the_clock_calls_as_often_as_the_topology_says" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name    = "orderflow-dev"
    project = "my-project"
    region  = "europe-west1"
    push = {
      look  = { audience = "https://a/look", email = "look@x", endpoint = "https://look.run.app" }
      tidy  = { audience = "https://a/tidy", email = "tidy@x", endpoint = "https://tidy.run.app" }
      yearn = { audience = "https://a/yearn", email = "yearn@x", endpoint = "https://yearn.run.app" }
    }
    services = {
      look  = { every_s = 60, limits = { timeout_s = 50 } }
      tidy  = { every_s = 900, limits = { timeout_s = 50 } }
      yearn = { every_s = 3600, limits = { timeout_s = 50 } }
    }
  }

  assert {
    condition     = { for name, job in google_cloud_scheduler_job.this : name => job.schedule } == { look = "* * * * *", tidy = "*/15 * * * *", yearn = "0 * * * *" }
    error_message = "The schedule is not every_s."
  }

  assert {
    condition     = google_cloud_scheduler_job.this["look"].http_target[0].oidc_token[0].audience == "https://a/look" && google_cloud_scheduler_job.this["look"].http_target[0].oidc_token[0].service_account_email == "look@x"
    error_message = "The call is not signed by the caller that the function expects."
  }
}

run "seconds_that_cron_cannot_say_are_refused" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    name     = "orderflow-dev"
    project  = "my-project"
    region   = "europe-west1"
    push     = { look = { audience = "https://a/look", email = "look@x", endpoint = "https://look.run.app" } }
    services = { look = { every_s = 90, limits = { timeout_s = 50 } } }
  }

  expect_failures = [var.services]
}

run "alarms_watch_what_their_names_say_at_the_thresholds_of_the_topology" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email        = "alarms@example.com"
    dead_letter_queues = { pay = "projects/p/subscriptions/orderflow-dev-pay-dlq" }
    functions          = { door = "orderflow-dev-door", pay = "orderflow-dev-pay" }
    log_retention_days = 90
    name               = "orderflow-dev"
    project            = "my-project"
    queues             = { pay = "projects/p/subscriptions/orderflow-dev-pay" }
    region             = "europe-west1"
    services = {
      door = { trigger = "http", emits = ["Placed", "Cancelled"], limits = { oldest_message_alarm_s = 300 } }
      pay  = { trigger = "queue", hears = ["Placed", "Cancelled"], emits = ["Paid"], limits = { oldest_message_alarm_s = 120 } }
    }
    sinks            = { archive = { every_s = 300, id = "projects/p/subscriptions/orderflow-dev-archive" } }
    topic            = "orderflow-dev-events"
    business_metrics = false
    webhooks         = []
  }

  assert {
    condition = {
      for key, policy in google_monitoring_alert_policy.threshold : key => policy.conditions[0].condition_threshold[0].threshold_value
      } == {
      archive-oldest   = 600
      door-errors      = 0.01
      door-p95         = 5000
      pay-dead-letters = 0
      pay-errors       = 0.01
      pay-oldest       = 120
      pay-p95          = 5000
    }
    error_message = "An alarm has another threshold."
  }

  assert {
    condition = (
      strcontains(google_monitoring_alert_policy.threshold["pay-dead-letters"].conditions[0].condition_threshold[0].filter, "\"orderflow-dev-pay-dlq\"")
      && strcontains(google_monitoring_alert_policy.threshold["pay-oldest"].conditions[0].condition_threshold[0].filter, "\"orderflow-dev-pay\"")
      && strcontains(google_monitoring_alert_policy.threshold["archive-oldest"].conditions[0].condition_threshold[0].filter, "\"orderflow-dev-archive\"")
      && strcontains(google_monitoring_alert_policy.threshold["door-errors"].conditions[0].condition_threshold[0].denominator_filter, "\"orderflow-dev-door\"")
    )
    error_message = "An alarm watches something else."
  }

  assert {
    condition = (
      endswith(google_monitoring_alert_policy.query["amplification-deliveries"].conditions[0].condition_prometheus_query_language[0].query, "> 0) > 2")
      && endswith(google_monitoring_alert_policy.query["amplification-publishes"].conditions[0].condition_prometheus_query_language[0].query, "> 0) > 3")
    )
    error_message = "Amplification is alarmed on at another figure than the topology gives, or divides by no orders at all."
  }

  assert {
    condition     = google_logging_project_bucket_config.this.retention_days == 90 && google_logging_project_exclusion.this.filter == google_logging_project_sink.this.filter
    error_message = "Logs are kept for another time, or twice."
  }

  assert {
    condition     = google_monitoring_notification_channel.email.labels.email_address == "alarms@example.com"
    error_message = "Nobody is told."
  }
}

run "a_budget_warns_on_the_way_and_when_it_is_spent" {
  command = plan

  module {
    source = "./modules/budget"
  }

  variables {
    amount          = 500
    billing_account = "000000-000000-000000"
    channel         = "projects/p/notificationChannels/1"
    name            = "orderflow-prod"
    project_number  = "123456789012"
  }

  assert {
    condition     = google_billing_budget.this.amount[0].specified_amount[0].units == "500" && toset([for rule in google_billing_budget.this.threshold_rules : "${rule.spend_basis} ${rule.threshold_percent}"]) == toset(["CURRENT_SPEND 0.5", "CURRENT_SPEND 0.8", "CURRENT_SPEND 1", "FORECASTED_SPEND 1"])
    error_message = "The budget is another."
  }
}

run "a_project_whose_billing_account_cannot_be_seen_is_refused" {
  command = plan

  module {
    source = "./modules/budget"
  }

  variables {
    amount          = 500
    billing_account = ""
    channel         = "projects/p/notificationChannels/1"
    name            = "orderflow-prod"
    project_number  = "123456789012"
  }

  expect_failures = [google_billing_budget.this]
}

run "github_may_plan_from_a_pull_request_and_apply_from_the_approved_environment_only" {
  command = plan

  module {
    source = "./modules/ci"
  }

  variables {
    environment       = "prod"
    github_repository = "acme/orders"
    granted_roles     = ["roles/datastore.user", "roles/logging.logWriter"]
    name              = "orderflow-prod"
    project           = "my-project"
    source_bucket     = "a-source"
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github["acme/orders"].attribute_condition == "assertion.sub == \"repo:acme/orders:pull_request\" || assertion.sub == \"repo:acme/orders:environment:prod\""
    error_message = "Another repository, branch or environment could sign in."
  }

  assert {
    condition     = google_project_iam_member.grants["acme/orders"].condition[0].expression == "api.getAttribute(\"iam.googleapis.com/modifiedGrantsByRole\", []).hasOnly([\"roles/datastore.user\", \"roles/logging.logWriter\"])"
    error_message = "An apply could give itself any role."
  }

  assert {
    condition = length([
      for grant in values(google_project_iam_member.this) : grant
      if contains(["roles/owner", "roles/editor", "roles/viewer"], grant.role)
    ]) == 0
    error_message = "A basic role was granted."
  }

  assert {
    condition = alltrue([
      for grant in values(google_project_iam_member.this) : !can(regex("admin|editor|writer|user$", lower(grant.role)))
      if startswith(grant.member, "serviceAccount:orderflow-prod-ci-plan@")
    ])
    error_message = "A plan may change something."
  }
}

run "without_a_repository_there_is_no_identity_for_ci" {
  command = plan

  module {
    source = "./modules/ci"
  }

  variables {
    environment       = "dev"
    github_repository = null
    granted_roles     = []
    name              = "orderflow-dev"
    project           = "my-project"
    source_bucket     = "a-source"
  }

  assert {
    condition     = output.identity == null && length(google_service_account.this) == 0 && length(google_project_iam_member.this) == 0
    error_message = "An identity that nobody asked for was made."
  }
}
