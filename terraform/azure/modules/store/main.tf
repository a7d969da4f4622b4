resource "azurerm_storage_account" "this" {
  name                = var.account_name
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

  tags = var.tags
}

# Named as orderflow_azure.store.table_name does: letters and digits only.
resource "azurerm_storage_table" "this" {
  for_each = var.collections

  name               = replace("${var.name}${each.key}", "/[^a-z0-9]/", "")
  storage_account_id = azurerm_storage_account.this.id
}

resource "azurerm_management_lock" "this" {
  for_each = toset(var.deletion_protection ? ["keep"] : [])

  name       = each.key
  lock_level = "CanNotDelete"
  notes      = "Holds the orders. Delete this lock first if that is really meant."
  scope      = azurerm_storage_account.this.id
}
