terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 7.0"
    }
    time = {
      source  = "hashicorp/time"
      version = "~> 0.12"
    }
  }

  # The rest is given at init: -backend-config=backends/<environment>.gcs.hcl. The gcs backend locks by itself
  # (developer.hashicorp.com/terraform/language/backend/gcs).
  backend "gcs" {}
}

provider "google" {
  project        = var.account_id
  region         = var.region
  default_labels = local.labels

  # The budget API asks a person's credentials for a project to charge the call to
  # (registry.terraform.io/providers/hashicorp/google/latest/docs/resources/billing_budget).
  billing_project       = var.account_id
  user_project_override = true
}
