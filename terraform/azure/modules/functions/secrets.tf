resource "azurerm_key_vault" "this" {
  name                = "${var.name}-${var.suffix}"
  location            = var.location
  resource_group_name = var.resource_group_name
  tenant_id           = var.tenant_id

  public_network_access_enabled = true
  purge_protection_enabled      = var.deletion_protection
  rbac_authorization_enabled    = true
  sku_name                      = "standard"
  soft_delete_retention_days    = var.deletion_protection ? 90 : 7

  tags = var.tags
}

# Made through the management plane with a stand-in for its value, so that a role can be given on it and Terraform needs
# no right to read it. The value is put in by hand, as a new version, and never comes into the state:
#   az keyvault secret set --vault-name <vault> --name <secret> --file <file>
resource "azapi_resource" "secret" {
  for_each = var.secrets

  type      = "Microsoft.KeyVault/vaults/secrets@2023-07-01"
  name      = each.key
  parent_id = azurerm_key_vault.this.id

  body = {
    properties = {
      value = "not set yet"
    }
  }

  # Writing it again would bury the real value under the stand-in.
  lifecycle {
    ignore_changes = all
  }
}
