# As terraform/bootstrap/azure answers it:
#   terraform init -backend-config=backends/staging.azurerm.hcl
resource_group_name  = "orderflow-state"
storage_account_name = "orderflowstate00000"
container_name       = "terraform"
key                  = "azure/staging.tfstate"

# By identity: the account has no keys.
use_azuread_auth = true
