output "api_url" {
  description = "Where the HTTP API answers, without a slash at the end."
  value       = module.api.url
}

output "archive_bucket" {
  description = "The bucket that every event is archived in."
  value       = module.objects.bucket_names[local.archive_bucket]
}

output "ci_identity" {
  description = "What GitHub Actions signs in as, to plan and to apply; null without github_repository."
  value       = module.ci.identity
}

output "dashboard_url" {
  description = "The dashboard, in the cloud's console."
  value       = module.observability.dashboard_url
}

output "dead_letter_queues" {
  description = "Dead-letter queue by service."
  value       = module.messaging.dead_letter_queue_urls
}

output "drop_bucket" {
  description = "The bucket that stock and catalogue files are dropped in."
  value       = module.objects.bucket_names[local.drop_bucket]
}

output "environment" {
  description = "Environment variables, none of them secret, with which the cloud's wiring (`bootstrap`) reaches this deployment from an operator's machine."
  value       = merge(local.environment, local.environment_oidc, { AWS_REGION = var.region })
}

output "functions" {
  description = "Name of the function by service."
  value       = module.functions.names
}

output "queues" {
  description = "Queue by service."
  value       = module.messaging.queue_urls
}

output "stores" {
  description = "Where documents are kept, by collection."
  value       = module.store.table_names
}

output "topic" {
  description = "The topic that every event is published to."
  value       = module.messaging.topic_arn
}
