output "account_id" {
  description = "Id of the storage account."
  value       = azurerm_storage_account.this.id
}

output "account_name" {
  description = "Name of the storage account."
  value       = azurerm_storage_account.this.name
}

output "locked" {
  description = "Whether the account is locked against deletion."
  value       = length(azurerm_management_lock.this) > 0
}

output "replication" {
  description = "How the account is replicated."
  value       = azurerm_storage_account.this.account_replication_type
}

output "table_endpoint" {
  description = "Address of the account's tables."
  value       = azurerm_storage_account.this.primary_table_endpoint
}

output "table_ids" {
  description = "Ids of the tables, by collection."
  # As roles name them (learn.microsoft.com/azure/storage/tables/assign-azure-role-data-access).
  value = {
    for collection, table in azurerm_storage_table.this :
    collection => "${azurerm_storage_account.this.id}/tableServices/default/tables/${table.name}"
  }
}

output "table_names" {
  description = "Names of the tables, by collection."
  value       = { for collection, table in azurerm_storage_table.this : collection => table.name }
}
