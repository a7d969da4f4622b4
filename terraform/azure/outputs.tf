output "api_url" {
  description = "Where the HTTP API answers, without a slash at the end."
  value       = one(values(module.api.urls))
}

output "archive_bucket" {
  description = "The bucket that every event is archived in."
  value       = module.objects.container_urls[local.archive_bucket]
}

output "ci_identity" {
  description = "What GitHub Actions signs in as, to plan and to apply; null without github_repository."
  value       = module.ci.client_ids
}

output "dashboard_url" {
  description = "The dashboard, in the cloud's console."
  value       = "https://portal.azure.com/#@${data.azurerm_client_config.this.tenant_id}/resource${module.observability.workbook_id}/workbook"
}

output "dead_letter_queues" {
  description = "Dead-letter queue by service."
  value       = module.messaging.dead_letter_queue_ids
}

output "drop_bucket" {
  description = "The bucket that stock and catalogue files are dropped in."
  value       = module.objects.container_urls[local.drop_bucket]
}

output "environment" {
  description = "Environment variables, none of them secret, with which the cloud's wiring (`bootstrap`) reaches this deployment from an operator's machine."
  value       = merge(local.environment, local.environment_oidc)
}

output "functions" {
  description = "Name of the function by service."
  value       = module.functions.names
}

output "queues" {
  description = "Queue by service."
  value       = module.messaging.queue_ids
}

output "stores" {
  description = "Where documents are kept, by collection."
  value       = module.store.table_ids
}

output "topic" {
  description = "The topic that every event is published to."
  value       = module.messaging.topic_id
}
