output "api_url" {
  description = "Base URL of the HTTP API, without a slash at its end."
  value       = one(values(module.api.urls))
}

output "archive_bucket" {
  description = "Where events are archived: the URL of the container."
  value       = module.objects.container_urls[local.archive_bucket]
}

output "ci_identity" {
  description = "Client ids of the identities that GitHub's workflows sign in with, to plan and to apply; null without a repository."
  value       = module.ci.client_ids
}

output "dashboard_url" {
  description = "Address of the workbook in the portal."
  value       = "https://portal.azure.com/#@${data.azurerm_client_config.this.tenant_id}/resource${module.observability.workbook_id}/workbook"
}

output "dead_letter_queues" {
  description = "Ids of the services' own dead-letter queues, by service."
  value       = module.messaging.dead_letter_queue_ids
}

output "drop_bucket" {
  description = "Where stock and catalogue files are dropped: the URL of the container."
  value       = module.objects.container_urls[local.drop_bucket]
}

output "environment" {
  description = "Environment variables with which orderflow_azure.wiring.bootstrap reaches this deployment from an operator's machine, signed in with the Azure CLI."
  value       = local.environment
}

output "functions" {
  description = "Names of the function apps, by service."
  value       = module.functions.names
}

output "queues" {
  description = "Ids of the services' queues, by service."
  value       = module.messaging.queue_ids
}

output "stores" {
  description = "Ids of the tables, by collection."
  value       = module.store.table_ids
}

output "topic" {
  description = "Id of the Event Grid topic that every event is published to."
  value       = module.messaging.topic_id
}
