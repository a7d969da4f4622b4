output "names" {
  description = "Schedule by service (name)."
  value       = { for service, schedule in aws_scheduler_schedule.this : service => schedule.name }
}
