# What the Functions host keeps beside the code: the package, locks of timers, its keys. An account per app, as
# learn.microsoft.com/azure/azure-functions/storage-considerations recommends: in a shared one every function could put
# another package in the place of any other's.
resource "azurerm_storage_account" "host" {
  for_each = var.functions

  # 24 characters at most, so what tells services apart is a hash.
  name                = "${substr(var.compact_name, 0, 16)}${substr(sha1("${var.account_id}/${var.name}/${each.key}"), 0, 8)}"
  location            = var.location
  resource_group_name = var.resource_group_name

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
    container_delete_retention_policy {
      days = 7
    }

    delete_retention_policy {
      days = 7
    }
  }

  tags = merge(var.tags, { service = each.key })
}

resource "azurerm_storage_container" "package" {
  for_each = var.functions

  name                  = "package"
  container_access_type = "private"
  storage_account_id    = azurerm_storage_account.host[each.key].id
}
