output "alarm_names" {
  description = "Every alarm."
  value = sort(concat(
    values(aws_cloudwatch_metric_alarm.amplification)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.dead_letters)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.duration)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.errors)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.not_run)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.oldest_message)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.recursion)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.sink_age)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.throttles)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.told)[*].alarm_name,
    [aws_cloudwatch_metric_alarm.api_errors.alarm_name],
  ))
}

output "api_log_group_arn" {
  description = "Log group of the API's access log."
  value       = "arn:${var.scope.partition}:logs:${var.scope.region}:${var.scope.account_id}:log-group:${local.api_log_group}"
  depends_on  = [aws_cloudwatch_log_group.api]
}

output "dashboard_titles" {
  description = "Titles of the dashboard's graphs, row by row."
  value       = flatten([for widgets in local.rows : widgets[*].title])
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
