# The account is not in a file: export TF_VAR_account_id="$(aws sts get-caller-identity --query Account --output text)"
# Yours to change: alarm_email, github_repository, oidc, region.
alarm_email         = "alarms@example.com"
budget_monthly      = 100
deletion_protection = false
environment         = "staging"
github_repository   = null
log_retention_days  = 30
region              = "eu-west-1"

oidc = {
  issuer   = "https://id.example.com/"
  audience = "orderflow-staging"
  jwks_url = "https://id.example.com/.well-known/jwks.json"
}

# What one customer may ask for: changes a minute, and how many of them at once.
settings = {
  rate_burst      = "20"
  rate_per_minute = "60"
}
