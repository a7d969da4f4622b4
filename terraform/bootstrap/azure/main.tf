# What must be there before terraform/azure: the container for its state, and the resource providers that it uses.
provider "azurerm" {
  subscription_id     = var.account_id
  storage_use_azuread = true

  # Microsoft.App runs Flex Consumption apps (learn.microsoft.com/azure/azure-functions/flex-consumption-plan#considerations).
  resource_provider_registrations = "none"
  resource_providers_to_register = [
    "Microsoft.App",
    "Microsoft.Consumption",
    "Microsoft.EventGrid",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.ManagedIdentity",
    "Microsoft.OperationalInsights",
    "Microsoft.ServiceBus",
    "Microsoft.Storage",
    "Microsoft.Web",
  ]

  features {}
}

locals {
  tags = merge(var.labels, { application = var.prefix, managed-by = "terraform" })
}

resource "azurerm_resource_group" "state" {
  name     = "${var.prefix}-state"
  location = var.region
  tags     = local.tags
}

resource "azurerm_storage_account" "state" {
  name                = "${var.prefix}state${substr(sha1("${var.account_id}/${var.prefix}"), 0, 5)}"
  location            = azurerm_resource_group.state.location
  resource_group_name = azurerm_resource_group.state.name

  account_kind             = "StorageV2"
  account_replication_type = "GRS"
  account_tier             = "Standard"

  # Only identities get in, and nothing is public. The state lock is a lease of the blob, which azurerm takes by itself.
  allow_nested_items_to_be_public   = false
  allowed_copy_scope                = "AAD"
  cross_tenant_replication_enabled  = false
  default_to_oauth_authentication   = true
  https_traffic_only_enabled        = true
  infrastructure_encryption_enabled = true
  local_user_enabled                = false
  min_tls_version                   = "TLS1_2"
  public_network_access_enabled     = true
  shared_access_key_enabled         = false

  # A state that a bad apply has spoilt can be had back.
  blob_properties {
    versioning_enabled = true

    container_delete_retention_policy {
      days = 90
    }

    delete_retention_policy {
      days = 90
    }
  }

  tags = local.tags

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "state" {
  name                  = "terraform"
  container_access_type = "private"
  storage_account_id    = azurerm_storage_account.state.id
}

resource "azurerm_role_assignment" "state" {
  for_each = var.state_users

  description          = "${each.key} plans and applies"
  principal_id         = each.value
  role_definition_name = "Storage Blob Data Contributor"
  scope                = azurerm_storage_container.state.id
}

resource "azurerm_management_lock" "state" {
  name       = "keep"
  lock_level = "CanNotDelete"
  notes      = "Holds the state of every environment."
  scope      = azurerm_storage_account.state.id
}
