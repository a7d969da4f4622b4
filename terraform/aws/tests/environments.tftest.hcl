# What must differ between the environments: what their files say, followed to the resources.

mock_provider "aws" {}

run "production_keeps_its_documents" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    collections         = { orders = { indexes = [], ttl = false } }
    deletion_protection = regex("(?m)^deletion_protection\\s*= (true|false)$", file("environments/prod.tfvars"))[0]
    name                = "orders-prod"
    scope               = { account_id = "123456789012", partition = "aws", region = "eu-west-1" }
  }

  assert {
    condition     = aws_dynamodb_table.this["orders"].deletion_protection_enabled
    error_message = "Production must refuse to lose data."
  }
}

run "development_can_be_thrown_away" {
  command = plan

  module {
    source = "./modules/store"
  }

  variables {
    collections         = { orders = { indexes = [], ttl = false } }
    deletion_protection = regex("(?m)^deletion_protection\\s*= (true|false)$", file("environments/dev.tfvars"))[0]
    name                = "orders-dev"
    scope               = { account_id = "123456789012", partition = "aws", region = "eu-west-1" }
  }

  assert {
    condition     = !aws_dynamodb_table.this["orders"].deletion_protection_enabled
    error_message = "Development must be destroyable."
  }
}

run "production_keeps_its_logs_for_a_year" {
  command = plan

  module {
    source = "./modules/observability"
  }

  variables {
    alarm_email         = "alarms@example.com"
    api_id              = "a1b2c3"
    deletion_protection = true
    functions           = { ledger = { emits = 1, hears = 1, oldest_message_alarm_s = 300, trigger = "queue" } }
    log_retention_days  = regex("(?m)^log_retention_days\\s*= (\\d+)$", file("environments/prod.tfvars"))[0]
    name                = "orders-prod"
    scope               = { account_id = "123456789012", partition = "aws", region = "eu-west-1" }
    sinks               = {}
    topic_name          = "orders-prod-events"
    business_metrics    = false
    webhooks            = []
  }

  assert {
    condition     = aws_cloudwatch_log_group.function["ledger"].retention_in_days >= 365
    error_message = "What happened to an order is asked for months later."
  }

  assert {
    condition     = aws_kms_key.alarms.deletion_window_in_days == 30
    error_message = "A key deleted by mistake must be had back for as long as AWS allows."
  }
}

run "a_budget_tells_before_it_is_spent" {
  command = plan

  module {
    source = "./modules/budget"
  }

  variables {
    alarm_email = "alarms@example.com"
    monthly     = 50
    name        = "orders-dev"
  }

  assert {
    condition     = toset([for notification in aws_budgets_budget.this.notification : "${notification.notification_type} ${notification.threshold}"]) == toset(["ACTUAL 50", "ACTUAL 80", "ACTUAL 100", "FORECASTED 100"])
    error_message = "It must tell at 80 %, at 100 %, and when 100 % is to be expected."
  }

  assert {
    condition     = alltrue([for notification in aws_budgets_budget.this.notification : notification.subscriber_email_addresses == toset(["alarms@example.com"])])
    error_message = "It must tell somebody."
  }
}
