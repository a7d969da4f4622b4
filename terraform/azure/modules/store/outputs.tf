output "account_id" {
  description = "Id of the storage account."
  value       = azurerm_storage_account.this.id
}

output "table_endpoint" {
  description = "Address of the account's tables."
  value       = azurerm_storage_account.this.primary_table_endpoint
}

output "table_ids" {
  description = "Ids of the tables, by collection."
  value       = { for collection, table in azurerm_storage_table.this : collection => table.resource_manager_id }
}
