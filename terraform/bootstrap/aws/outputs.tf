output "backend" {
  description = "What backends/<environment>.s3.hcl must say, beside the key."
  value = {
    bucket       = aws_s3_bucket.state.bucket
    encrypt      = true
    region       = var.region
    use_lockfile = true
  }
}
