resource "google_pubsub_topic" "dead_letter" {
  for_each = var.services

  project = var.project.id
  name    = "${var.name}-${each.key}-dlq"
  labels  = { service = each.key }
}

# A topic without a subscription keeps nothing: this one makes it a queue.
resource "google_pubsub_subscription" "dead_letter" {
  for_each = var.services

  project = var.project.id
  name    = "${var.name}-${each.key}-dlq"
  topic   = "${local.topics}/${google_pubsub_topic.dead_letter[each.key].name}"
  labels  = { service = each.key }

  ack_deadline_seconds       = 60
  message_retention_duration = "${var.retention.dead_letter_s}s"

  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub itself moves a message, as its service agent: without both roles it goes on delivering instead, and says
# nothing (cloud.google.com/pubsub/docs/handling-failures#grant_forwarding_permissions). A grant goes with what it is on,
# so each is made again when that is.
resource "google_pubsub_topic_iam_member" "dead_letter" {
  for_each = var.services

  project = var.project.id
  topic   = google_pubsub_topic.dead_letter[each.key].name
  role    = "roles/pubsub.publisher"
  member  = local.agent

  lifecycle {
    replace_triggered_by = [google_pubsub_topic.dead_letter[each.key].id]
  }
}

resource "google_pubsub_subscription_iam_member" "feed" {
  for_each = local.feeds

  project      = var.project.id
  subscription = google_pubsub_subscription.feed[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.agent

  lifecycle {
    replace_triggered_by = [google_pubsub_subscription.feed[each.key].id]
  }
}
