output "dead_letter_queues" {
  description = "Ids of the dead-letter subscriptions, by service."
  value       = { for name, subscription in google_pubsub_subscription.dead_letter : name => "projects/${var.project.id}/subscriptions/${subscription.name}" }
}

output "dead_letter_topics" {
  description = "Names of the dead-letter topics, by service."
  value       = { for name, topic in google_pubsub_topic.dead_letter : name => topic.name }
}

output "filters" {
  description = "The services' filters in Pub/Sub's language, by service; empty hears everything."
  value       = { for name in keys(var.services) : name => google_pubsub_subscription.feed[name].filter }
}

output "object_topics" {
  description = "Names of the topics that hear of written objects, by service."
  value       = { for name, topic in google_pubsub_topic.object : name => topic.name }
}

output "queues" {
  description = "Ids of the services' subscriptions, by service."
  value       = { for name in keys(var.services) : name => "projects/${var.project.id}/subscriptions/${google_pubsub_subscription.feed[name].name}" }
}

output "redrive_topics" {
  description = "Names of the topics that dead letters are sent to again, by service."
  value       = { for name, topic in google_pubsub_topic.redrive : name => topic.name }
}

output "topic" {
  description = "Id and name of the topic that every event goes to."
  value = {
    id   = "${local.topics}/${google_pubsub_topic.events.name}"
    name = google_pubsub_topic.events.name
  }
}
