output "backend" {
  description = "What backends/<environment>.gcs.hcl must say, beside the prefix."
  value       = { bucket = google_storage_bucket.state.name }
}
