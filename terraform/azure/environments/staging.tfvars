# The subscription is not in a file: export TF_VAR_account_id="$(az account show --query id --output tsv)"
environment = "staging"
region      = "westeurope"

alarm_email         = "operators@example.com"
budget_monthly      = 100
deletion_protection = false
log_retention_days  = 30

oidc = {
  issuer   = "https://login.example.com/"
  audience = "orderflow"
  jwks_url = "https://login.example.com/.well-known/jwks.json"
}
