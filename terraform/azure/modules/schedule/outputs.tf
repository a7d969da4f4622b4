output "alarms" {
  description = "Names of the alarms for timers that stopped, by service."
  value       = { for service, alarm in azurerm_monitor_scheduled_query_rules_alert_v2.missed : service => alarm.name }
}
