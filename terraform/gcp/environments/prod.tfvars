environment = "prod"
region      = "europe-west1"

budget_monthly      = 500
deletion_protection = true
log_retention_days  = 365
