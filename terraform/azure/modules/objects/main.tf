locals {
  dead_letters = "event-dead-letters"
}

resource "azurerm_storage_account" "this" {
  name                = var.account_name
  location            = var.location
  resource_group_name = var.resource_group_name

  access_tier              = "Hot"
  account_kind             = "StorageV2"
  account_replication_type = var.redundant ? "ZRS" : "LRS"
  account_tier             = "Standard"

  # Only identities get in, and nothing is public.
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

  blob_properties {
    versioning_enabled = true

    container_delete_retention_policy {
      days = 14
    }

    delete_retention_policy {
      days = 14
    }
  }

  tags = var.tags
}

resource "azurerm_storage_container" "this" {
  for_each = setunion(var.buckets, [local.dead_letters])

  name                  = each.key
  container_access_type = "private"
  storage_account_id    = azurerm_storage_account.this.id
}

# What is in a container stays, but gets cheaper to keep; only superseded versions and undelivered events are deleted.
resource "azurerm_storage_management_policy" "this" {
  storage_account_id = azurerm_storage_account.this.id

  rule {
    name    = "cool-down"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = [for bucket in var.buckets : "${bucket}/"]
    }

    actions {
      base_blob {
        tier_to_cool_after_days_since_modification_greater_than = 30
        tier_to_cold_after_days_since_modification_greater_than = 120
      }

      version {
        delete_after_days_since_creation = 30
      }
    }
  }

  rule {
    name    = "forget-undelivered-events"
    enabled = true

    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["${local.dead_letters}/"]
    }

    actions {
      base_blob {
        delete_after_days_since_modification_greater_than = 365
      }
    }
  }
}

resource "azurerm_management_lock" "this" {
  for_each = toset(var.deletion_protection ? ["keep"] : [])

  name       = each.key
  lock_level = "CanNotDelete"
  notes      = "Holds every event that ever was. Delete this lock first if that is really meant."
  scope      = azurerm_storage_account.this.id
}
