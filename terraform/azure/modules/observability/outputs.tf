output "action_group_id" {
  description = "Id of the action group that alarms tell."
  value       = azurerm_monitor_action_group.this.id
}

output "alarms" {
  description = "Names of the alarms, by what they are about."
  value = merge(
    { for about, alarm in azurerm_monitor_metric_alert.queue : about => alarm.name },
    { for about, alarm in azurerm_monitor_metric_alert.throttle : "${about}-throttles" => alarm.name },
    { for about, alarm in azurerm_monitor_scheduled_query_rules_alert_v2.functions : about => alarm.name },
  )
}

output "application_insights_connection_string" {
  description = "Where functions report to: an address, and no key."
  value       = azurerm_application_insights.this.connection_string
  sensitive   = true
}

output "application_insights_id" {
  description = "Id of what functions report to."
  value       = azurerm_application_insights.this.id
}

output "dashboard_items" {
  description = "Names of the workbook's charts; those of a queue begin with its service."
  value       = [for item in concat(local._charts, local._queue_rows) : item.name]
}

output "queries" {
  description = "Queries of the alarms about functions, by what they are about."
  value       = { for about, alarm in azurerm_monitor_scheduled_query_rules_alert_v2.functions : about => alarm.criteria[0].query }
}

output "workbook_id" {
  description = "Id of the workbook."
  value       = azurerm_application_insights_workbook.this.id
}

output "workspace_id" {
  description = "Id of the Log Analytics workspace."
  value       = azurerm_log_analytics_workspace.this.id
}
