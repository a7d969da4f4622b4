# terraform init -backend-config=backends/dev.gcs.hcl
# The bucket is made by terraform/bootstrap/gcp: <prefix>-state-<project id>.
bucket = "orderflow-state-your-project"
prefix = "gcp/dev"
