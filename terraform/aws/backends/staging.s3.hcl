# terraform init -backend-config=backends/staging.s3.hcl
# The bucket is made by terraform/bootstrap/aws: <prefix>-state-<account id>.
bucket       = "orderflow-state-123456789012"
encrypt      = true
key          = "staging.tfstate"
region       = "eu-west-1"
use_lockfile = true
