# The subscription is not in a file: export TF_VAR_account_id="$(az account show --query id --output tsv)"
# Yours to change: alarm_email, github_repository, oidc, region.
alarm_email         = "alarms@example.com"
budget_monthly      = 50
deletion_protection = false
environment         = "dev"
github_repository   = null
log_retention_days  = 30
region              = "westeurope"

oidc = {
  issuer   = "https://id.example.com/"
  audience = "orderflow-dev"
  jwks_url = "https://id.example.com/.well-known/jwks.json"
}
