# terraform init -backend-config=backends/prod.s3.hcl
# The bucket is made by terraform/bootstrap/aws: <prefix>-state-<account id>.
bucket       = "orderflow-state-123456789012"
encrypt      = true
key          = "prod.tfstate"
region       = "eu-west-1"
use_lockfile = true
