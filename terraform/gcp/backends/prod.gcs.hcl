# The bucket that terraform/bootstrap/gcp made.
bucket = "orderflow-state-your-project"
prefix = "orderflow/prod"
