output "host_account_names" {
  description = "Names of the storage accounts of the function hosts, by service."
  value       = { for service, account in azurerm_storage_account.host : service => account.name }
}

output "hosts" {
  description = "Host names of the function apps, by service."
  value       = { for service, app in azurerm_function_app_flex_consumption.this : service => app.default_hostname }
}

output "identities" {
  description = "Names of the managed identities, by service."
  value       = { for service, identity in azurerm_user_assigned_identity.this : service => identity.name }
}

output "instances" {
  description = "Instances that a function may have, and their size in MB, by service."
  value       = { for service, app in azurerm_function_app_flex_consumption.this : service => { maximum = app.maximum_instance_count, memory_mb = app.instance_memory_in_mb } }
}

output "names" {
  description = "Names of the function apps, by service."
  value       = local.names
}

output "open" {
  description = "Services whose function may be called from the internet."
  value       = toset([for service, app in azurerm_function_app_flex_consumption.this : service if app.site_config[0].ip_restriction_default_action == "Allow"])
}

output "permissions" {
  description = "Roles by what they are for: <service>/<why>."
  value       = { for why, assignment in azurerm_role_assignment.this : why => assignment.role_definition_name }
}

output "provider_settings" {
  description = "What a function is told of the providers of the external systems that it uses, by service."
  value = {
    for service, function in var.functions : service => {
      for name, value in function.settings : name => value if anytrue([for system in function.uses : startswith(name, "ORDERFLOW_${upper(system)}")])
    }
  }
}

output "roles" {
  description = "Roles that are given to functions."
  value       = toset([for permission in values(local.permissions) : permission.role])
}

output "secrets" {
  description = "Names of the secrets that wait for a value, by external system."
  value       = { for system, secret in azapi_resource.secret : system => secret.name }
}

output "timeouts" {
  description = "Time limits of the functions, by service, as hh:mm:ss."
  value       = local.timeouts
}

output "vault_id" {
  description = "Id of the key vault."
  value       = azurerm_key_vault.this.id
}

output "vault_name" {
  description = "Name of the key vault."
  value       = azurerm_key_vault.this.name
}
