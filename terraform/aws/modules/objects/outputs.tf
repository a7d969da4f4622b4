output "bucket_arns" {
  description = "ARN of the bucket by its role."
  value       = local.bucket_arns
  depends_on  = [aws_s3_bucket.this]
}

output "bucket_names" {
  description = "Name of the bucket by its role."
  value       = local.bucket_names
  depends_on  = [aws_s3_bucket.this]
}
