output "buckets" {
  description = "Names of the buckets, by their name in the topology."
  value       = { for key, bucket in google_storage_bucket.this : key => bucket.name }
}

output "sinks" {
  description = "Ids of the subscriptions that write to a bucket, by service."
  value       = { for name, subscription in google_pubsub_subscription.sink : name => "projects/${var.project.id}/subscriptions/${subscription.name}" }
}
