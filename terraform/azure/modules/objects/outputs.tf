output "account_id" {
  description = "Id of the storage account."
  value       = azurerm_storage_account.this.id
}

output "account_name" {
  description = "Name of the storage account."
  value       = azurerm_storage_account.this.name
}

output "blob_endpoint" {
  description = "Address of the account's blobs."
  value       = azurerm_storage_account.this.primary_blob_endpoint
}

output "container_ids" {
  description = "Ids of the containers, by bucket."
  value       = { for bucket in var.buckets : bucket => azurerm_storage_container.this[bucket].id }
}

output "container_names" {
  description = "Names of the containers, by bucket."
  value       = { for bucket in var.buckets : bucket => azurerm_storage_container.this[bucket].name }
}

output "container_urls" {
  description = "Addresses of the containers, by bucket."
  value       = { for bucket in var.buckets : bucket => "${azurerm_storage_account.this.primary_blob_endpoint}${azurerm_storage_container.this[bucket].name}" }
}

output "dead_letters" {
  description = "Where Event Grid puts events that it could not deliver."
  value = {
    account_id     = azurerm_storage_account.this.id
    container_id   = azurerm_storage_container.this[local.dead_letters].id
    container_name = azurerm_storage_container.this[local.dead_letters].name
  }
}

output "watched" {
  description = "What the subject of an event begins with that tells a service of a new object, by service."
  value       = { for service, subscription in azurerm_eventgrid_system_topic_event_subscription.this : service => subscription.subject_filter[0].subject_begins_with }
}
