# Messaging by itself: the promises about delivery that Google Cloud does not check. The module is given made-up services,
# so that each rule stands alone.

mock_provider "google" {}

variables {
  name    = "orderflow-dev"
  project = { id = "my-project", number = "123456789012" }
  topic   = "events"

  push = {
    pay   = { audience = "https://a/pay", email = "pay@x", endpoint = "https://pay.run.app" }
    files = { audience = "https://a/files", email = "files@x", endpoint = "https://files.run.app" }
  }

  services = {
    pay = {
      trigger = "queue"
      filter  = { kind = ["Placed", "Cancelled"] }
      limits  = { backoff_base_s = 1.0, backoff_cap_s = 60.0, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
    }
    files = {
      trigger = "object"
      limits  = { backoff_base_s = 2.5, backoff_cap_s = 600.0, broker_max_deliveries = 5, lock_s = 300, timeout_s = 50 }
    }
  }
}

run "a_service_is_fed_as_its_limits_say" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = (
      google_pubsub_subscription.feed["pay"].ack_deadline_seconds == 180
      && google_pubsub_subscription.feed["pay"].dead_letter_policy[0].max_delivery_attempts == 100
      && google_pubsub_subscription.feed["pay"].retry_policy[0].minimum_backoff == "1s"
      && google_pubsub_subscription.feed["pay"].retry_policy[0].maximum_backoff == "60s"
    )
    error_message = "The subscription does not have the service's deadline, attempts and backoff."
  }

  assert {
    condition = (
      google_pubsub_subscription.feed["pay"].topic == "projects/my-project/topics/orderflow-dev-events"
      && google_pubsub_subscription.feed["files"].topic == "projects/my-project/topics/orderflow-dev-files"
    )
    error_message = "A queue hears the topic of all events, a watcher its bucket's."
  }

  assert {
    condition     = google_pubsub_subscription.feed["pay"].filter == "attributes.kind = \"Placed\" OR attributes.kind = \"Cancelled\"" && google_pubsub_subscription.feed["files"].filter == ""
    error_message = "The filter is not that of topology.pubsub_filter."
  }
}

run "only_a_service_that_asks_for_it_is_fed_in_order_and_what_is_sent_again_is_not" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"
        ordered = true
        limits  = { backoff_base_s = 1.0, backoff_cap_s = 60.0, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
      }
      files = {
        trigger = "object"
        limits  = { backoff_base_s = 2.5, backoff_cap_s = 600.0, broker_max_deliveries = 5, lock_s = 300, timeout_s = 50 }
      }
    }
  }

  assert {
    condition     = [for name, feed in google_pubsub_subscription.feed : name if coalesce(feed.enable_message_ordering, false)] == ["pay"]
    error_message = "Order is kept for ${join(", ", [for name, feed in google_pubsub_subscription.feed : name if coalesce(feed.enable_message_ordering, false)])}."
  }
}

run "every_push_is_signed_for_one_function_by_one_account" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for feed in values(google_pubsub_subscription.feed) : (
        feed.push_config[0].push_endpoint == var.push[feed.labels.service].endpoint
        && feed.push_config[0].oidc_token[0].audience == var.push[feed.labels.service].audience
        && feed.push_config[0].oidc_token[0].service_account_email == var.push[feed.labels.service].email
      )
    ])
    error_message = "A push goes to another function, or is not signed by the caller that the function expects."
  }
}

run "a_redriven_letter_goes_to_the_same_function_under_the_same_policies" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for name in ["pay", "files"] : (
        google_pubsub_subscription.feed["${name}-redrive"].topic == "projects/my-project/topics/orderflow-dev-${name}-redrive"
        && google_pubsub_subscription.feed["${name}-redrive"].filter == ""
        && google_pubsub_subscription.feed["${name}-redrive"].push_config == google_pubsub_subscription.feed[name].push_config
        && google_pubsub_subscription.feed["${name}-redrive"].retry_policy == google_pubsub_subscription.feed[name].retry_policy
        && google_pubsub_subscription.feed["${name}-redrive"].dead_letter_policy == google_pubsub_subscription.feed[name].dead_letter_policy
      )
    ])
    error_message = "The way back differs from the way there."
  }
}

run "dead_letters_are_kept_longer_than_the_queue_keeps_messages" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for name in ["pay", "files"] :
      google_pubsub_subscription.dead_letter[name].message_retention_duration == "2678400s"
      && google_pubsub_subscription.feed[name].message_retention_duration == "604800s"
      && google_pubsub_subscription.dead_letter[name].topic == google_pubsub_subscription.feed[name].dead_letter_policy[0].dead_letter_topic
    ])
    error_message = "A dead letter would be gone before its message, or has no queue to lie in."
  }
}

run "no_subscription_is_deleted_for_want_of_use" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = alltrue([
      for subscription in concat(values(google_pubsub_subscription.feed), values(google_pubsub_subscription.dead_letter)) :
      subscription.expiration_policy[0].ttl == ""
    ])
    error_message = "A subscription that is not used for 31 days would be deleted with what comes after."
  }
}

run "the_service_agent_may_take_from_every_feed_and_put_into_every_dead_letter_topic" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  assert {
    condition = keys(google_pubsub_subscription_iam_member.feed) == keys(google_pubsub_subscription.feed) && alltrue([
      for key, grant in google_pubsub_subscription_iam_member.feed :
      grant.subscription == "orderflow-dev-${key}"
      && grant.role == "roles/pubsub.subscriber"
      && grant.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    ])
    error_message = "Pub/Sub could not take a message out of its subscription, and would deliver it for ever."
  }

  assert {
    condition = keys(google_pubsub_topic_iam_member.dead_letter) == keys(google_pubsub_topic.dead_letter) && alltrue([
      for key, grant in google_pubsub_topic_iam_member.dead_letter :
      grant.topic == "orderflow-dev-${key}-dlq"
      && grant.role == "roles/pubsub.publisher"
      && grant.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    ])
    error_message = "Pub/Sub could not put a message into the dead-letter topic, and would deliver it for ever."
  }
}

run "a_filter_over_256_bytes_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"
        filter  = { kind = [for number in range(10) : "AnEventOfQuiteALongName${number}"] }
        limits  = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [google_pubsub_subscription.feed]
}

run "fewer_than_five_attempts_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"

        limits = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 4, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}

run "more_than_a_hundred_attempts_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"

        limits = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 101, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}

run "a_deadline_below_ten_seconds_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"

        limits = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 100, lock_s = 9, timeout_s = 5 }
      }
    }
  }

  expect_failures = [var.services]
}

run "a_deadline_shorter_than_the_function_may_run_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"

        limits = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 100, lock_s = 30, timeout_s = 31 }
      }
    }
  }

  expect_failures = [var.services]
}

run "a_backoff_over_ten_minutes_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"

        limits = { backoff_base_s = 1, backoff_cap_s = 601, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}

run "a_filter_value_that_would_end_its_quotes_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "queue"
        filter  = { kind = ["a\" OR attributes:x"] }
        limits  = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}

run "a_trigger_that_no_message_feeds_is_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    services = {
      pay = {
        trigger = "http"

        limits = { backoff_base_s = 1, backoff_cap_s = 60, broker_max_deliveries = 100, lock_s = 180, timeout_s = 30 }
      }
    }
  }

  expect_failures = [var.services]
}

run "dead_letters_that_do_not_outlive_the_queue_are_refused" {
  command = plan

  module {
    source = "./modules/messaging"
  }

  variables {
    retention = { dead_letter_s = 604800, queue_s = 604800 }
  }

  expect_failures = [var.retention]
}
