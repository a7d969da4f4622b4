# Limits of Azure that couple two values of the topology: a topology that breaks one is refused before anything is made.

mock_provider "azurerm" {
  source = "./tests/mocks"
}

variables {
  location            = "westeurope"
  name                = "orderflow-dev"
  resource_group_name = "orderflow-dev"
  suffix              = "abcde"
  tags                = {}

  dead_letters = {
    account_id     = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Storage/storageAccounts/orderflowdevobabcde"
    container_id   = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Storage/storageAccounts/orderflowdevobabcde/blobServices/default/containers/x"
    container_name = "x"
  }
}

run "a_lock_that_ends_before_its_function_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      payment = { filter = {}, lock_seconds = 30, max_deliveries = 100, own_dead_letters = true, subscribed = true, timeout_in_seconds = 30 }
    }
  }

  expect_failures = [var.queues]
}

run "a_lock_longer_than_service_bus_holds_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      payment = { filter = {}, lock_seconds = 301, max_deliveries = 100, own_dead_letters = true, subscribed = true, timeout_in_seconds = 30 }
    }
  }

  expect_failures = [var.queues]
}

run "fewer_deliveries_than_pubsub_allows_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      payment = { filter = {}, lock_seconds = 180, max_deliveries = 4, own_dead_letters = true, subscribed = true, timeout_in_seconds = 30 }
    }
  }

  expect_failures = [var.queues]
}

run "more_filter_values_than_event_grid_counts_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      payment = {
        filter             = { kind = [for number in range(26) : "Kind${number}"] }
        lock_seconds       = 180
        max_deliveries     = 100
        own_dead_letters   = true
        subscribed         = true
        timeout_in_seconds = 30
      }
    }
  }

  expect_failures = [var.queues]
}

run "a_service_that_wants_its_events_in_order_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    queues = {
      payment = { filter = {}, lock_seconds = 180, max_deliveries = 100, ordered = true, own_dead_letters = true, subscribed = true, timeout_in_seconds = 30 }
    }
  }

  expect_failures = [var.queues]
}

run "a_timer_that_no_cron_expression_of_minutes_says_is_refused" {
  command = plan

  module {
    source = "./modules/schedule"
  }

  variables {
    action_group_id = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.Insights/actionGroups/x"
    timers          = { sweeper = { every_seconds = 90, function_name = "orderflow-dev-sweeper" } }
    workspace_id    = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/orderflow-dev/providers/Microsoft.OperationalInsights/workspaces/x"
  }

  expect_failures = [var.timers]
}
