output "jobs" {
  description = "Ids of the scheduler jobs, by service."
  value       = { for name, job in google_cloud_scheduler_job.this : name => job.id }
}
