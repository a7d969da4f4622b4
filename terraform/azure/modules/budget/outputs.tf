output "id" {
  description = "Id of the budget."
  value       = azurerm_consumption_budget_resource_group.this.id
}
