locals {
  # Bucket names are unique among all accounts of a partition.
  bucket_names = { for bucket in var.buckets : bucket => "${var.name}-${bucket}-${var.scope.account_id}" }
  bucket_arns  = { for bucket, name in local.bucket_names : bucket => "arn:${var.scope.partition}:s3:::${name}" }

  # Kept as long as a replay may want them; dropped files have been read long before.
  expire_after_days = { for bucket in var.buckets : bucket => contains(values(var.sinks)[*].bucket, bucket) ? 365 : 30 }
}
