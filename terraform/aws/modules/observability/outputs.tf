output "api_log_group_arn" {
  description = "Log group of the API's access log."
  value       = "arn:${var.scope.partition}:logs:${var.scope.region}:${var.scope.account_id}:log-group:${local.api_log_group}"
  depends_on  = [aws_cloudwatch_log_group.api]
}

output "dashboard_url" {
  description = "The dashboard, in the console."
  value       = "https://${var.scope.region}.console.aws.amazon.com/cloudwatch/home?region=${var.scope.region}#dashboards/dashboard/${var.name}"
}

output "function_log_groups" {
  description = "Log group (name) by service."
  value       = local.function_log_groups
  depends_on  = [aws_cloudwatch_log_group.function]
}

output "sink_log_groups" {
  description = "Log group (name) by sink."
  value       = local.sink_log_groups
  depends_on  = [aws_cloudwatch_log_group.sink]
}
