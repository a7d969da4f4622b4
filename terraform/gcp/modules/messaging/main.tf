# Every event goes to one topic. Each service has two push subscriptions to its function: on that topic under its
# filter (or, for files, on the topic of its bucket), and on a redrive topic of its own, where its dead letters are sent
# again; functions/gcp/orderflow_gcp/deadletters.py says why. An Eventarc trigger would make a subscription too, but one
# without a dead-letter policy (github.com/hashicorp/terraform-provider-google/issues/25069).

locals {
  # Ids are made from names, which are known before anything is made: a plan can then be read and tested as a whole.
  topics = "projects/${var.project.id}/topics"
  agent  = "serviceAccount:service-${var.project.number}@gcp-sa-pubsub.iam.gserviceaccount.com"

  # The same text as pubsub_filter of functions/shared/orderflow/topology.py makes, with the attributes sorted.
  filters = {
    for name, service in var.services : name => join(" AND ", [
      for attribute, values in service.filter : format(
        length(service.filter) == 1 ? "%s" : "(%s)",
        join(" OR ", [for value in values : "attributes.${attribute} = \"${value}\""]),
      )
    ])
  }

  feeds = merge(
    {
      for name, service in var.services : name => {
        filter  = local.filters[name]
        ordered = service.ordered
        service = name
        topic   = service.trigger == "queue" ? google_pubsub_topic.events.name : google_pubsub_topic.object[name].name
      }
    },
    {
      for name in keys(var.services) : "${name}-redrive" => {
        filter  = ""
        ordered = false
        service = name
        topic   = google_pubsub_topic.redrive[name].name
      }
    },
  )
}

resource "google_pubsub_topic" "events" {
  project = var.project.id
  name    = "${var.name}-${var.topic}"

  # A subscription that had to be replaced can be sought back to before its making
  # (cloud.google.com/pubsub/docs/replay-overview): that is how a filter, which is immutable, is changed without loss.
  message_retention_duration = "${var.retention.queue_s}s"
}

resource "google_pubsub_topic" "object" {
  for_each = { for name, service in var.services : name => service if service.trigger == "object" }

  project = var.project.id
  name    = "${var.name}-${each.key}"
  labels  = { service = each.key }
}

resource "google_pubsub_topic" "redrive" {
  for_each = var.services

  project = var.project.id
  name    = "${var.name}-${each.key}-redrive"
  labels  = { service = each.key }
}

resource "google_pubsub_subscription" "feed" {
  for_each = local.feeds

  project = var.project.id
  name    = "${var.name}-${each.key}"
  topic   = "${local.topics}/${each.value.topic}"
  filter  = each.value.filter
  labels  = { service = each.value.service }

  ack_deadline_seconds       = var.services[each.value.service].limits.lock_s
  message_retention_duration = "${var.retention.queue_s}s"

  # Immutable, as the filter is. What is sent again from the dead letters comes late in any case.
  enable_message_ordering = each.value.ordered ? true : null

  push_config {
    push_endpoint = var.push[each.value.service].endpoint

    oidc_token {
      audience              = var.push[each.value.service].audience
      service_account_email = var.push[each.value.service].email
    }
  }

  retry_policy {
    minimum_backoff = "${var.services[each.value.service].limits.backoff_base_s}s"
    maximum_backoff = "${var.services[each.value.service].limits.backoff_cap_s}s"
  }

  dead_letter_policy {
    dead_letter_topic     = "${local.topics}/${google_pubsub_topic.dead_letter[each.value.service].name}"
    max_delivery_attempts = var.services[each.value.service].limits.broker_max_deliveries
  }

  # Never: the default deletes a subscription after 31 days without use.
  expiration_policy {
    ttl = ""
  }

  lifecycle {
    precondition {
      condition     = length(each.value.filter) <= 256
      error_message = "The filter of ${each.key} has ${length(each.value.filter)} bytes; a Pub/Sub filter has 256 at most, and is immutable: filter on a category."
    }
  }
}
