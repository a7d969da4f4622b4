environment = "staging"
region      = "europe-west1"

budget_monthly      = 50
deletion_protection = false
log_retention_days  = 30
