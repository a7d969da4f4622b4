output "api_url" {
  description = "Address of the HTTP API."
  value       = module.api.url
}

output "archive_bucket" {
  description = "Name of the bucket that every event is written to."
  value       = local.archive_bucket
}

output "ci_identity" {
  description = "What GitHub Actions signs in with: provider, and the accounts that plan and apply; null without github_repository."
  value       = module.ci.identity
}

output "dashboard_url" {
  description = "Address of the dashboard."
  value       = module.observability.dashboard_url
}

output "dead_letter_queues" {
  description = "Ids of the dead-letter queues (subscriptions), by service."
  value       = module.messaging.dead_letter_queues
}

output "drop_bucket" {
  description = "Name of the bucket that stock and catalogue files are dropped into."
  value       = local.drop_bucket
}

output "environment" {
  description = "Variables with which orderflow_gcp.wiring.bootstrap reaches this deployment from an operator's machine. Nothing in it is secret."
  value       = local.environment_variables
}

output "functions" {
  description = "Names of the functions, by service."
  value       = module.functions.functions
}

output "queues" {
  description = "Ids of the queues (subscriptions), by service."
  value       = module.messaging.queues
}

output "stores" {
  description = "Ids of the collections, by collection."
  value       = module.store.stores
}

output "topic" {
  description = "Id of the topic that every event goes to."
  value       = module.messaging.topic.id
}
