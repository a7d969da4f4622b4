# One app per service: an identity, a package and a scale of its own. Flex Consumption takes one app per plan
# (learn.microsoft.com/azure/azure-functions/flex-consumption-plan#considerations).
locals {
  # learn.microsoft.com/azure/azure-functions/flex-consumption-plan#instance-memory
  instance_sizes = [512, 2048, 4096]

  timeouts = {
    for service, function in var.functions :
    service => formatdate("hh:mm:ss", timeadd("2000-01-01T00:00:00Z", "${function.limits.timeout_s}s"))
  }

  batch_windows = {
    for service, function in var.functions :
    service => formatdate("hh:mm:ss", timeadd("2000-01-01T00:00:00Z", "${function.limits.batch_window_s}s"))
  }

  names = { for service in keys(var.functions) : service => "${var.name}-${service}-${var.suffix}" }
}

resource "azurerm_service_plan" "this" {
  for_each = var.functions

  name                = local.names[each.key]
  location            = var.location
  resource_group_name = var.resource_group_name

  os_type                = "Linux"
  sku_name               = "FC1"
  zone_balancing_enabled = var.redundant

  tags = var.tags
}

resource "azurerm_function_app_flex_consumption" "this" {
  for_each = var.functions

  name                = local.names[each.key]
  location            = var.location
  resource_group_name = var.resource_group_name
  service_plan_id     = azurerm_service_plan.this[each.key].id

  runtime_name    = "python"
  runtime_version = "3.13"

  http_concurrency       = each.value.http_concurrency
  instance_memory_in_mb  = min([for size in local.instance_sizes : size if size >= each.value.limits.memory_mb]...)
  maximum_instance_count = each.value.maximum_instance_count

  storage_authentication_type       = "UserAssignedIdentity"
  storage_container_endpoint        = "${azurerm_storage_account.host[each.key].primary_blob_endpoint}${azurerm_storage_container.package[each.key].name}"
  storage_container_type            = "blobContainer"
  storage_user_assigned_identity_id = azurerm_user_assigned_identity.this[each.key].id

  https_only = true

  # The deployment endpoint is beside the app, so the network stays open; consumers are closed below.
  public_network_access_enabled                  = true
  webdeploy_publish_basic_authentication_enabled = false

  app_settings = merge(
    var.environment,
    each.value.settings,
    length(setintersection(var.secrets, each.value.uses)) == 0 ? {} : { ORDERFLOW_VAULT_URL = azurerm_key_vault.this.vault_uri },
    {
      # Host storage by identity. The provider adds a connection string with an empty key, which the host would prefer,
      # unless there is a setting of that name in any case (helpers.MergeUserAppSettings), and where it is written as
      # usual it hides it from the state, which is a difference in every plan (unpackFunctionAppFlexConsumptionSettings;
      # github.com/hashicorp/terraform-provider-azurerm/issues/30732). Hence the capitals.
      AZUREWEBJOBSSTORAGE              = ""
      AzureWebJobsStorage__accountName = azurerm_storage_account.host[each.key].name
      AzureWebJobsStorage__clientId    = azurerm_user_assigned_identity.this[each.key].client_id
      AzureWebJobsStorage__credential  = "managedidentity"

      AzureFunctionsJobHost__extensions__serviceBus__maxMessageBatchSize = tostring(each.value.limits.batch_size)
      AzureFunctionsJobHost__functionTimeout                             = local.timeouts[each.key]
      AzureWebJobsDisableHomepage                                        = "true"

      # Neither FUNCTIONS_WORKER_RUNTIME nor FUNCTIONS_EXTENSION_VERSION nor WEBSITE_RUN_FROM_PACKAGE: Flex Consumption
      # does not take them (learn.microsoft.com/azure/azure-functions/functions-app-settings#flex-consumption-plan-deprecations).
      APPLICATIONINSIGHTS_AUTHENTICATION_STRING = "ClientId=${azurerm_user_assigned_identity.this[each.key].client_id};Authorization=AAD"
      AZURE_CLIENT_ID                           = azurerm_user_assigned_identity.this[each.key].client_id
      AZURE_TOKEN_CREDENTIALS                   = "ManagedIdentityCredential"

      ORDERFLOW_SERVICE                = each.key
      ORDERFLOW_SERVICEBUS__clientId   = azurerm_user_assigned_identity.this[each.key].client_id
      ORDERFLOW_SERVICEBUS__credential = "managedidentity"
    },
    # An execution is billed for a second at least, so messages that nobody waits for are gathered first
    # (learn.microsoft.com/azure/azure-functions/functions-bindings-service-bus#hostjson-settings).
    each.value.limits.batch_window_s == 0 ? {} : {
      AzureFunctionsJobHost__extensions__serviceBus__maxBatchWaitTime    = local.batch_windows[each.key]
      AzureFunctionsJobHost__extensions__serviceBus__minMessageBatchSize = tostring(each.value.limits.batch_size)
    },
  )

  site_config {
    application_insights_connection_string = var.application_insights_connection_string
    http2_enabled                          = true
    minimum_tls_version                    = "1.2"
    scm_minimum_tls_version                = "1.2"

    # Only the API is to be called from outside; the others have a queue or a clock.
    ip_restriction_default_action     = each.value.trigger == "http" ? "Allow" : "Deny"
    scm_ip_restriction_default_action = "Allow"
    scm_use_main_ip_restriction       = false
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this[each.key].id]
  }

  tags = merge(var.tags, { service = each.key })

  depends_on = [azurerm_role_assignment.this]
}

# learn.microsoft.com/azure/azure-functions/flex-consumption-plan#regional-subscription-memory-quotas
check "regional_quota" {
  assert {
    condition     = sum([for app in values(azurerm_function_app_flex_consumption.this) : app.maximum_instance_count * app.instance_memory_in_mb]) <= 512000
    error_message = "All functions at their most need more than the 512,000 MB that a subscription has in a region unless it asks for more: they would stop scaling."
  }
}
