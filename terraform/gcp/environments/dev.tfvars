environment = "dev"
region      = "europe-west1"

budget_monthly      = 25
deletion_protection = false
log_retention_days  = 30
