output "hosts" {
  description = "Host names of the function apps, by service."
  value       = { for service, app in azurerm_function_app_flex_consumption.this : service => app.default_hostname }
}

output "names" {
  description = "Names of the function apps, by service."
  value       = local.names
}

output "roles" {
  description = "Roles that are given to functions."
  value       = toset([for permission in values(local.permissions) : permission.role])
}

output "vault_id" {
  description = "Id of the key vault."
  value       = azurerm_key_vault.this.id
}
