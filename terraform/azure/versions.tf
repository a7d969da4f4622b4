terraform {
  required_version = ">= 1.11"

  required_providers {
    azapi = {
      source  = "Azure/azapi"
      version = "~> 2.0"
    }
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }

  # The rest comes from backends/<environment>.azurerm.hcl.
  backend "azurerm" {}
}

provider "azapi" {
  subscription_id = var.account_id
}

provider "azurerm" {
  subscription_id = var.account_id

  # Storage accounts have no keys here, so their data plane is asked with the identity of who runs Terraform.
  storage_use_azuread = true

  # Registering is a right on the whole subscription; terraform/bootstrap/azure does it once.
  resource_provider_registrations = "none"

  features {
    application_insights {
      # The rule that Azure adds by itself is not in the state and keeps the resource group from being deleted.
      disable_generated_rule = true
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}
