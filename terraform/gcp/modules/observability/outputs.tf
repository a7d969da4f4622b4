output "alarms" {
  description = "Names of the alarms, by service and what they watch."
  value = {
    for key, policy in merge(google_monitoring_alert_policy.threshold, google_monitoring_alert_policy.query) :
    key => policy.display_name
  }
}

output "channel" {
  description = "Id of the notification channel."
  value       = google_monitoring_notification_channel.email.id
}

output "dashboard_json" {
  description = "What the dashboard shows."
  value       = google_monitoring_dashboard.this.dashboard_json
}

output "dashboard_url" {
  description = "Address of the dashboard."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.this.id)}?project=${var.project}"
}

output "told_filters" {
  description = "Which log lines tell of a refund that failed after all, or of a dispute, by service that hears the gateway."
  value       = { for service, metric in google_logging_metric.told : service => metric.filter }
}
